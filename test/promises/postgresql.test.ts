import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { databaseContent, differences } from "../../deploy/local/lab/postgresql/compare.ts";
import { startTestLab, type TestLab } from "../../deploy/local/lab/postgresql/testing.ts";
import { app } from "../../functions/postgresql/app.ts";
import { Failure } from "../../shared/failures.ts";
import { openNas } from "../../shared/nas/nas.ts";
import { listPoints } from "../../shared/nas/points.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import { contentHash } from "../crash/nas-checks.ts";
import { layDatabaseLab } from "../worlds/postgresql.ts";
import { carry } from "../worlds/run.ts";

let lab: TestLab;
let folder: string;
let config: string;

beforeAll(async () => {
  lab = await startTestLab();
  await lab.fill("world_base");
}, 60_000);
afterAll(() => lab?.close());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "keepsake-promises-"));
  config = await layDatabaseLab(folder, lab.server);
  for (const name of await lab.names()) {
    if (!/^(postgres|template\d|world_.*)$/.test(name)) await lab.sql(`DROP DATABASE "${name}" WITH (FORCE)`);
  }
  await lab.sql("CREATE DATABASE shared TEMPLATE world_base OWNER keeper");
  return () => rm(folder, { recursive: true, force: true });
});

const run = (request: RunRequest, options: Parameters<typeof carry>[3] = {}) =>
  carry(config, "postgresql", request, options);
const backUp = (options: Parameters<typeof carry>[3] = {}) => run({ operation: "backup", allow: [] }, options);
const restore = (options: Parameters<typeof carry>[3] = {}) => run({ operation: "restore", allow: [] }, options);
const folders = () => openNas(join(folder, "nas")).app("postgresql");
const content = async (database = "shared") => databaseContent(await lab.connection(database));
const history = async () => (await readdir(folders().history).catch(() => [])).sort();
const historyFile = async () => join(folders().history, (await history())[0] as string);

test("a backup, the loss of the database, a restore: every row, right and large object is back", async () => {
  const before = await content();
  expect((await backUp()).outcome).toMatchObject({
    outcome: "created",
    point: { files: [{ name: expect.stringMatching(/^postgresql_\d{8}_\d{6}\.sql\.gz$/) }] },
  });
  await lab.sql("DROP DATABASE shared WITH (FORCE)");
  expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code: "source_missing" } });
  expect((await restore()).outcome.outcome).toBe("restored");
  expect(differences(before, await content())).toEqual([]);
  expect((await backUp()).outcome.outcome).toBe("unchanged");
});

test("latest.sql.gz holds no password verifier", async () => {
  await lab.sql("ALTER ROLE keeper PASSWORD 'planted-secret-4711'");
  await backUp();
  const sql = gunzipSync(await readFile(join(folders().backups, "latest.sql.gz"))).toString();
  expect(/CREATE ROLE "?keeper/.test(sql)).toBe(true);
  expect(/SCRAM-SHA-256\$|planted-secret|\bPASSWORD '/i.exec(sql)?.[0]).toBeUndefined();
});

test("an undo brings back the database that a restore replaced, and an undo of it the restored one", async () => {
  await backUp();
  const saved = await content();
  await lab.sql("DELETE FROM archive.notes WHERE id % 20 = 0", "shared");
  const replaced = await content();
  await restore();
  expect(differences(saved, await content())).toEqual([]);
  expect((await run({ operation: "undo" })).outcome.outcome).toBe("undone");
  expect(differences(replaced, await content())).toEqual([]);
  await run({ operation: "undo" });
  expect(differences(saved, await content())).toEqual([]);
});

test("a database whose rows are mostly gone is refused until ALLOW=smaller", async () => {
  await backUp();
  await lab.sql("TRUNCATE notes, measurement CASCADE", "shared");
  expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code: "source_smaller" } });
  expect(await history()).toHaveLength(1);
  expect((await run({ operation: "backup", allow: ["smaller"] })).outcome.outcome).toBe("created");
});

test("an emptied database is refused (a dump of 0 bytes was a success elsewhere, and pushed out a real backup)", async () => {
  await backUp();
  await lab.sql("DROP DATABASE shared WITH (FORCE)");
  await lab.sql("CREATE DATABASE shared");
  expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code: "source_empty" } });
  expect(await history()).toHaveLength(1);
});

test("another server under the same address is refused until it is accepted, or a restore is made into it", async () => {
  await backUp();
  const path = join(folders().hidden, "state.json");
  const state = JSON.parse(await readFile(path, "utf8"));
  state.baseline.identity.id = "another system";
  await writeFile(path, JSON.stringify(state));
  expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code: "source_replaced" } });
  expect((await restore()).outcome.outcome).toBe("restored");
  expect((await backUp()).outcome.failure).toBeUndefined();
});

test("a wrong password fails the run with what to do, and publishes nothing (an authentication error was a success elsewhere)", async () => {
  const wrong = join(folder, "password");
  await writeFile(wrong, "wrong");
  const settings = JSON.parse(await readFile(config, "utf8"));
  settings.apps.postgresql.passwordFile = wrong;
  await writeFile(config, JSON.stringify(settings));
  const { outcome, told } = await backUp();
  expect(outcome).toMatchObject({ outcome: "failed", failure: { code: "source_unreachable" } });
  expect(JSON.stringify(told)).not.toContain('"wrong"');
  expect(await history()).toEqual([]);
});

test("a dump that was cut off on the NAS is found before anything is touched (psql restores a part of it and exits 0)", async () => {
  await backUp();
  const before = await content();
  const path = await historyFile();
  const sql = gunzipSync(await readFile(path)).toString();
  await writeFile(path, gzipSync(sql.slice(0, sql.indexOf("COPY public.notes") + 2000)));
  const { outcome, steps } = await restore();
  expect(outcome.failure?.code).toBe("backup_damaged");
  expect(steps.filter((step) => /database|role/i.test(step))).toEqual([]);
  expect(differences(before, await content())).toEqual([]);
});

test("a single flipped bit in a dump on the NAS is found", async () => {
  await backUp();
  const path = await historyFile();
  const file = await open(path, "r+");
  const { size } = await file.stat();
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, size >> 1);
  byte[0] = (byte[0] as number) ^ 4;
  await file.write(byte, 0, 1, size >> 1);
  await file.close();
  expect((await restore()).outcome.failure?.code).toBe("backup_damaged");
});

test("a swapped in, older dump with its checksum unchanged in no manifest is not taken for the point", async () => {
  await backUp();
  const path = await historyFile();
  const other = gzipSync(
    gunzipSync(await readFile(path))
      .toString()
      .replace(/^1\t.*\n/m, ""),
  );
  await writeFile(path, other);
  expect((await restore()).outcome.failure?.code).toBe("backup_damaged");
});

test("what belongs to a superuser is restored only with ALLOW=superuser-owner, and is named", async () => {
  await lab.sql("CREATE TABLE crown (jewel text); ALTER TABLE crown OWNER TO postgres", "shared");
  await backUp();
  const before = await content();
  const refused = await restore();
  expect(refused.outcome).toMatchObject({ outcome: "refused", failure: { code: "override_needed" } });
  expect(refused.outcome.message).toContain("crown");
  expect((await run({ operation: "restore", allow: ["superuser-owner"] })).outcome.outcome).toBe("restored");
  expect(differences(before, await content())).toEqual([]);
});

test("TO= restores into a new database beside production, which stays as it is", async () => {
  await backUp();
  await lab.sql("DELETE FROM measurement", "shared");
  const production = await content();
  const { outcome } = await run({ operation: "restore", to: "look", allow: [] });
  expect(outcome).toMatchObject({ outcome: "restored", restoredTo: expect.stringContaining("look") });
  expect((await lab.sql("SELECT count(*)::int AS n FROM notes", "look"))[0]?.n).toBeGreaterThan(0);
  expect(differences(production, await content())).toEqual([]);
  expect((await run({ operation: "restore", to: "look", allow: [] })).outcome.failure?.code).toBe("target_exists");
});

test("a restore ends the sessions of the app only at the swap, and lets it in again", async () => {
  await backUp();
  const login = await lab.connection("shared");
  const { default: pg } = await import("pg");
  const session = new pg.Client(login);
  session.on("error", () => {});
  await session.connect();
  const seen: string[] = [];
  const { outcome } = await restore({
    onStep: async (what) => {
      if (/^(create|load|comment)/i.test(what)) seen.push((await session.query("SELECT 'there' AS it")).rows[0].it);
    },
  });
  expect(outcome.outcome).toBe("restored");
  expect(seen.length).toBeGreaterThan(0);
  await expect(session.query("SELECT 1")).rejects.toThrow();
  expect(await content()).toBeDefined();
});

test("a cancelled restore leaves no database, no role and no closed door behind", async () => {
  await backUp();
  await lab.sql("DELETE FROM measurement", "shared");
  const before = await content();
  const stop = new AbortController();
  let steps = 0;
  const { outcome } = await restore({
    signal: stop.signal,
    onStep: (what) => {
      if (/load|copy/i.test(what) && ++steps === 1) stop.abort(new Failure("cancelled", "The run was cancelled"));
    },
  });
  expect(outcome.outcome).toBe("cancelled");
  expect(differences(before, await content())).toEqual([]);
  expect((await lab.names()).filter((name) => name.startsWith("keepsake"))).toEqual([]);
});

test("retention keeps the newest and removes the oldest, after a verified publish only", async () => {
  for (const n of [1, 2, 3]) {
    await lab.sql(`INSERT INTO notes (title, body) VALUES ('New', 'note ${n}')`, "shared");
    await backUp({ now: () => Date.UTC(2026, 0, n) });
  }
  expect(await history()).toEqual(["postgresql_20260102_000000.sql.gz", "postgresql_20260103_000000.sql.gz"]);
  const points = await listPoints(folders(), app.artefacts);
  expect(await contentHash(join(folders().backups, "latest.sql.gz"))).toBe(points.at(-1)?.manifest?.files[0]?.sha256);
  expect((await stat(await historyFile())).mtimeMs).toBe(Date.UTC(2026, 0, 2));
});

test("user mappings, whose passwords pg_dump writes down, are warned about", async () => {
  await lab.sql(
    `CREATE EXTENSION IF NOT EXISTS postgres_fdw; CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw;
     CREATE USER MAPPING FOR keeper SERVER other OPTIONS (user 'u', password 'p')`,
    "shared",
  );
  const { outcome } = await backUp();
  expect(outcome.outcome).toBe("created");
  expect(outcome.warnings.join()).toContain("1 user mappings for foreign servers");
});

test("one statement that fails, fails the restore, and production stays (819 ignored errors were a success elsewhere)", async () => {
  await backUp();
  const path = await historyFile();
  // Without its manifest, as a file of another system: the content alone has to tell.
  await rm(folders().points, { recursive: true });
  const sql = gunzipSync(await readFile(path)).toString();
  const broken = sql.replace(/^CREATE TABLE public\.empty \(/m, "CREATE TABLE public.empty (\n    lost no_such_type,");
  expect(broken).not.toBe(sql);
  await writeFile(path, gzipSync(broken));
  const before = await content();
  const { outcome } = await restore();
  expect(outcome.outcome).toBe("failed");
  expect(outcome.message).toContain("no_such_type");
  expect(differences(before, await content())).toEqual([]);
});
