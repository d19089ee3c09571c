import { execFile } from "node:child_process";
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
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
  const names = ["sdtd", "factorio", "postgresql", "open-webui", "ollama"].map((type) => `backup-${type}`);
  for (const name of [...names, "render-mapshot"]) {
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
  const files = good.stdout.trim().split("\n");
  for (const line of files) expect(line).toMatch(/: OK$/);
  const checked = new Set(files.map((line) => line.replace(/: OK$/, "")));
  const { nas } = placesIn(root);
  const entries = await readdir(nas, { recursive: true, withFileTypes: true });
  const there = entries.flatMap((entry) => (entry.isFile() ? [relative(nas, join(entry.parentPath, entry.name))] : []));
  const others = /^(\.keepsake|open-webui-open-webui-data|factorio\/factorio-space-age)/;
  expect([...checked].sort(), "every file of a backup, and no other").toEqual(
    there.filter((path) => !others.test(path)).sort(),
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

/** Destroys an app's data, follows the README, and compares. */
async function restoreByHand(
  name: string,
  sentence: string,
  variables: Record<string, string>,
  leave: () => Promise<void> = async () => {},
): Promise<void> {
  const app = apps.find((candidate) => candidate.name === name) as LabApp;
  const wanted = await app.content();
  await app.stop();
  await app.destroy();
  await leave();
  for (const path of Object.values(variables)) await mkdir(path, { recursive: true });
  expect(await run(await blockBelow(sentence), variables)).toMatchObject({ code: 0, stderr: "" });
  await app.start();
  expect(differences(wanted, await app.content())).toEqual([]);
}

test("7 Days to Die is restored by hand: its server runs with the bytes that were there", () =>
  restoreByHand("sdtd", "7 Days to Die. Stop the server.", { USERDATA: join(root, "sdtd/UserData") }));

test("Factorio is restored by hand: its server runs with the bytes that were there", () =>
  restoreByHand("factorio", "Factorio. Stop the server.", { SAVES: join(root, "factorio/saves") }));

test("Open WebUI is restored by hand, over what a crash has left", async () => {
  const data = join(placesIn(root).nas, "open-webui-open-webui-data");
  const leave = () => writeFile(join(data, "webui.db-journal"), "of the old database");
  await restoreByHand("open-webui", "Open WebUI. Stop it.", { DATA: data }, leave);
  expect(await readdir(data)).not.toContain("webui.db-journal");
});

test("Ollama is restored by hand: its server lists and loads every model", () =>
  restoreByHand("ollama", "Ollama. Stop it.", { MODELS: join(root, "ollama/home/models") }));

test("Mapshot's map is restored by hand, every tile of it", () =>
  restoreByHand("mapshot", "is the folder that its viewer serves", {
    RENDERS: join(root, "mapshot/factorio/script-output/mapshot/latest"),
  }));

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
