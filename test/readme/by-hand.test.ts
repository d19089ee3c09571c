import { execFile } from "node:child_process";
import { mkdir, mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FakeTerminal } from "../../deploy/cli/testing/fake-terminal.ts";
import { claimFolder } from "../../deploy/local/demo/claim.ts";
import { type DemoGateway, startDemoGateway } from "../../deploy/local/demo/gateway.ts";
import { type Content, type LabApp, labApps, placesIn } from "../../deploy/local/demo/lab.ts";
import { makeLab } from "../../deploy/local/demo/make-lab.ts";
import { databaseContent, differences } from "../../deploy/local/lab/postgresql/compare.ts";
import { labConnection } from "../../deploy/local/lab/postgresql/fill.ts";
import { findLabServer, type LabServer } from "../../deploy/local/lab/postgresql/server.ts";
import { blockBelow } from "./blocks.ts";

/* The README's lines, word for word, on a NAS that real backups of real servers have filled. */

let root: string;
let apps: LabApp[];
let gateway: DemoGateway;
let server: LabServer;

beforeAll(async () => {
  root = join(await mkdtemp(join(tmpdir(), "keepsake-by-hand-")), "lab");
  apps = labApps(root);
  const quiet = new FakeTerminal(false);
  await claimFolder(root, apps, (line) => quiet.out(line));
  await makeLab(root, apps, (line) => quiet.out(line));
  server = (await findLabServer({ folder: join(root, "postgresql") })) as LabServer;
  gateway = await startDemoGateway(root);
  for (const name of ["backup-factorio", "backup-postgresql"]) {
    const answer = await fetch(`${gateway.url}/function/${name}`, { method: "POST" });
    expect(answer.status, await answer.text()).toBe(200);
  }
});

afterAll(async () => {
  await gateway?.stop();
  for (const app of apps) {
    await app.stop();
    await app.remove();
  }
  await rm(join(root, ".."), { recursive: true });
});

/** Runs a block of the README with nothing but variables around it. */
async function run(block: string, variables: Record<string, string> = {}) {
  const password = (await readFile(server.passwordFile, "utf8")).trim();
  const env = {
    PATH: `${server.bin}:${process.env.PATH}`,
    LC_ALL: "C",
    NAS: placesIn(root).nas,
    ...{ PGHOST: server.host, PGPORT: String(server.port), PGUSER: server.user, PGPASSWORD: password },
    ...variables,
  };
  return new Promise<{ code: number | string; stdout: string; stderr: string }>((resolve) =>
    execFile("sh", ["-eu", "-c", block], { env, cwd: root }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    ),
  );
}

test("sha256sum, as the README has it, finds every file to be what was written, and one flipped bit", async () => {
  const check = await blockBelow("are the files what was once written");
  const good = await run(check);
  expect(good).toMatchObject({ code: 0, stderr: "" });
  expect(good.stdout).toMatch(
    /^factorio\/backups\/history\/\S+: OK\nfactorio\/backups\/latest\.zip: OK\npostgresql\/backups\/history\/\S+: OK\npostgresql\/backups\/latest\.sql\.gz: OK\n$/,
  );
  const flip = async () => {
    const file = await open(join(placesIn(root).nas, "factorio/backups/latest.zip"), "r+");
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 1000);
    await file.write(Buffer.of((buffer[0] as number) ^ 1), 0, 1, 1000);
    await file.close();
  };
  await flip();
  const bad = await run(check);
  await flip();
  expect(bad).toMatchObject({ code: 1, stdout: expect.stringContaining("latest.zip: FAILED") });
});

test("Factorio is restored by hand: its server runs with the bytes that were there", async () => {
  const [factorio] = apps as [LabApp];
  const wanted = await factorio.content();
  await factorio.stop();
  await factorio.destroy();
  const saves = join(root, "factorio/saves");
  await mkdir(saves);
  expect(await run(await blockBelow("Factorio. Stop the server."), { SAVES: saves })).toMatchObject({
    code: 0,
    stderr: "",
  });
  await factorio.start();
  expect(differences(wanted, await factorio.content())).toEqual([]);
});

test("PostgreSQL is restored by hand, on a server that has neither the database nor its roles", async () => {
  const sql = async (text: string) => {
    const client = new pg.Client(await labConnection(server, "postgres"));
    await client.connect();
    await client.query(text).finally(() => client.end());
  };
  const content = async (database: string) => databaseContent(await labConnection(server, database));
  const wanted = await content("shared");
  await sql("DROP DATABASE shared WITH (FORCE)");
  await sql("DROP ROLE visitor, readers, keeper");

  const restored = await run(await blockBelow("PostgreSQL. As a superuser"));
  expect(restored.code, restored.stderr).toBe(0);
  expect(restored.stderr).not.toContain("ERROR");
  // What the README names: a dump of one database does not say it.
  const ofDatabase = (all: Content) => new Map([...all].filter(([name]) => !/^(database$|setting of )/.test(name)));
  expect(differences(ofDatabase(wanted), ofDatabase(await content("restored")))).toEqual([]);

  await sql("CREATE DATABASE shared");
  expect(await run(await blockBelow("the database's own settings, comment and rights"))).toMatchObject({
    code: 0,
    stderr: "",
  });
  const keeper = new pg.Client({
    ...(await labConnection(server, "shared")),
    ...{ user: "keeper", password: "a new one" },
  });
  await keeper.connect();
  const { rows } = await keeper.query("SELECT count(*)::int AS notes FROM public.notes").finally(() => keeper.end());
  expect(rows).toEqual([{ notes: 20_000 }]);
});

test("curl does what make does", async () => {
  const { code, stdout, stderr } = await run(await blockBelow("What replaces or decides something needs the token"), {
    GATEWAY: gateway.url,
    TOKEN: gateway.token,
  });
  expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: "" });
  const words = ["factorio: created", "restore points", "would restore", "factorio: restored", "factorio: undone",
    "factorio: pinned", "factorio: unpinned", "factorio: accepted", "data:", "event: end"]; // biome-ignore format: one line reads better
  let at = -1;
  for (const word of words) {
    const next = stdout.indexOf(word, at + 1);
    expect(next, `"${word}" in its place in:\n${stdout}`).toBeGreaterThan(at);
    at = next;
  }
});
