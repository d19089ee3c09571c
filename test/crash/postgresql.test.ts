import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { databaseContent } from "../../deploy/local/lab/postgresql/compare.ts";
import { startTestLab, type TestLab } from "../../deploy/local/lab/postgresql/testing.ts";
import { app } from "../../functions/postgresql/app.ts";
import { serverHome } from "../../functions/postgresql/drill-server.ts";
import { openNas } from "../../shared/nas/nas.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import { layDatabaseLab } from "../worlds/postgresql.ts";
import { describeRun, runKilled } from "./kill.ts";
import { contentHash, expectSoundNas, expectTidyNas } from "./nas-checks.ts";
import { killStories, type Story } from "./story.ts";

/* One server for all worlds; the database of each is made anew from a template. */

let lab: TestLab;
beforeAll(async () => {
  lab = await startTestLab();
}, 60_000);
afterAll(() => lab?.close());

interface World {
  folder: string;
  known: Set<string>;
}

const config = (folder: string) => join(folder, "keepsake.yaml");
const nas = (folder: string) => join(folder, "nas");

/** Everything but the templates goes, and production is as that one was. */
async function productionFrom(template: string): Promise<void> {
  for (const name of await lab.names()) {
    if (!/^(postgres|template\d|world_.*)$/.test(name)) await lab.sql(`DROP DATABASE "${name}" WITH (FORCE)`);
  }
  await lab.sql(`CREATE DATABASE shared TEMPLATE ${template} OWNER keeper`);
}

async function run(folder: string, request: RunRequest = { operation: "backup", allow: [] }): Promise<void> {
  const done = await runKilled(join(folder, "state"), config(folder), describeRun("postgresql", request), 0);
  expect(done.outcome?.failure, done.log).toBeUndefined();
}

/** Two restore points, of version 1 and 2; production is at 3. */
async function lay(folder: string): Promise<void> {
  await layDatabaseLab(folder, lab.server);
  for (const name of await lab.names()) {
    if (!/^(postgres|template\d)$/.test(name)) await lab.sql(`DROP DATABASE "${name}" WITH (FORCE)`);
  }
  await lab.fill("shared");
  await lab.sql("CREATE TABLE version (n int); ALTER TABLE version OWNER TO keeper", "shared");
  for (const n of [1, 2]) {
    await lab.sql(`INSERT INTO version VALUES (${n})`, "shared");
    await run(folder);
  }
  await lab.sql("INSERT INTO version VALUES (3)", "shared");
  await lab.sql("CREATE DATABASE world_new TEMPLATE shared");
}

async function open(folder: string, template = "world_new"): Promise<World> {
  await productionFrom(template);
  const history = join(nas(folder), "postgresql/backups/history");
  const known = new Set(await Promise.all((await readdir(history)).map((name) => contentHash(join(history, name)))));
  return { folder, known };
}

/** What production says of itself; it has to let itself be asked. */
async function version(): Promise<number> {
  const [row] = await lab.sql("SELECT max(n) AS n FROM version", "shared");
  return Number(row?.n);
}

const leftovers = async () => ({
  databases: (await lab.names()).filter((name) => /^keepsake_/.test(name)),
  roles: (await lab.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'keepsake%'")).map(({ rolname }) => rolname),
});

const common = { app: "postgresql", lay, open, close: async () => {}, configPath: config };

const backup: Story<World> = {
  ...common,
  name: "postgresql: a backup that expires an older point",
  request: { operation: "backup", allow: [] },
  sample: 3,
  outcomes: ["created", "unchanged"],
  async lookAfterKill({ folder }) {
    const latest = join(nas(folder), "postgresql/backups/latest.sql.gz");
    const { history } = openNas(nas(folder)).app("postgresql");
    const whole = new Set(await Promise.all((await readdir(history)).map((name) => contentHash(join(history, name)))));
    await expectSoundNas(nas(folder), "postgresql", app.artefacts, whole);
    expect(whole).toContain(await contentHash(latest));
  },
  async lookAtEnd({ folder }, runIds) {
    await expectTidyNas(nas(folder), "postgresql", runIds);
    expect(await version()).toBe(3);
    const { history, backups } = openNas(nas(folder)).app("postgresql");
    const kept = await Promise.all((await readdir(history)).sort().map((name) => contentHash(join(history, name))));
    return { kept, latest: await contentHash(join(backups, "latest.sql.gz")) };
  },
};

function restoring(name: string, request: RunRequest, versions: { before: number; after: number }): Story<World> {
  return {
    ...common,
    name,
    request,
    sample: 4,
    outcomes: ["restored", "undone", "flushed"],
    async lookAfterKill({ folder, known }, killed) {
      await expectSoundNas(nas(folder), "postgresql", app.artefacts, known);
      // Between the closing of production and the swap nobody can connect: then the next run opens it again.
      const [production] = await lab.sql("SELECT datallowconn AS open FROM pg_database WHERE datname = 'shared'");
      expect(production, killed.log).toBeDefined();
      if (production?.open) expect([versions.before, versions.after]).toContain(await version());
    },
    async lookAfterMend() {
      expect([versions.before, versions.after]).toContain(await version());
      expect(await leftovers()).toEqual({ databases: [], roles: [] });
      const [production] = await lab.sql(
        "SELECT datallowconn AS open, shobj_description(oid, 'pg_database') AS said FROM pg_database WHERE datname = 'shared'",
      );
      expect(production?.open).toBe(true);
      expect(String(production?.said), "its comment is its own again").not.toContain("keepsake");
    },
    async lookAtEnd({ folder, known }, runIds) {
      await expectSoundNas(nas(folder), "postgresql", app.artefacts, known);
      await expectTidyNas(nas(folder), "postgresql", runIds);
      expect(await version()).toBe(versions.after);
      expect(await leftovers()).toEqual({ databases: [], roles: [] });
      const asides = (await lab.names()).filter((database) => database.startsWith("shared_old_"));
      expect(asides.length, asides.join()).toBeGreaterThan(0);
      return databaseContent(await lab.connection("shared"));
    },
  };
}

const restore = restoring(
  "postgresql: a restore of the older point",
  { operation: "restore", at: "latest", allow: [] },
  { before: 3, after: 2 },
);

const undo: Story<World> = {
  ...restoring("postgresql: the undo of a restore", { operation: "undo" }, { before: 2, after: 3 }),
  async open(folder) {
    const world = await open(folder);
    await run(folder, { operation: "restore", at: "latest", allow: [] });
    return world;
  },
  // An undo of an undo brings the restored data back; so one that was complete is not told again.
  async requestAfter() {
    return { operation: (await version()) === 3 ? "flush" : "undo" };
  },
};

const drill: Story<World> = {
  ...backup,
  name: "postgresql: a drill",
  request: { operation: "drill", at: "latest" },
  sample: 3,
  outcomes: ["proven"],
  async lookAfterMend({ folder }) {
    expect(await version()).toBe(3);
    expect(await leftovers(), "production's server was not asked for anything").toEqual({ databases: [], roles: [] });
    const home = (await serverHome(join(folder, "state/drills/keepsake-drill-postgresql"))).folder;
    expect(await readdir(home).catch(() => "gone"), "the drill's own server was ended and removed").toBe("gone");
  },
};

killStories([backup, restore, undo, drill]);
