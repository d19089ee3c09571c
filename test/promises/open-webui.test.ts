import { execFile } from "node:child_process";
import { copyFile, cp, mkdir, mkdtemp, open, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { databaseRows, folderFiles } from "../../deploy/local/lab/open-webui/content.ts";
import { makeDatabase } from "../../deploy/local/lab/open-webui/make-database.ts";
import { revisions } from "../../deploy/local/lab/open-webui/schema.ts";
import { app } from "../../functions/open-webui/app.ts";
import { Failure } from "../../shared/failures.ts";
import { openNas } from "../../shared/nas/nas.ts";
import { listPoints } from "../../shared/nas/points.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import { contentHash } from "../crash/nas-checks.ts";
import { change, configure, layLab, places, said, say, webuiServer, workload } from "../worlds/open-webui.ts";
import { carry } from "../worlds/run.ts";

const exec = promisify(execFile);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "keepsake-promises-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const run = (
  request: Partial<RunRequest> & { operation: RunRequest["operation"] },
  options: Parameters<typeof carry>[3] = {},
) => {
  const allow = request.operation === "backup" || request.operation === "restore" ? { allow: [] } : {};
  return carry(places(folder).config, "open-webui", { ...allow, ...request } as RunRequest, options);
};
const backUp = (options: Parameters<typeof carry>[3] = {}) => run({ operation: "backup" }, options);
const points = () => listPoints(openNas(places(folder).nas).app("open-webui"), app.artefacts);
const history = async () => (await readdir(join(places(folder).backups, "history"))).sort();
const isRunning = (at: string) =>
  exec(process.execPath, [webuiServer, "status", "--data", places(at).data]).then(
    () => true,
    () => false,
  );
const indexOf = (path: string, name: string) => {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = ?").get(name) as { rootpage: number };
  } finally {
    db.close();
  }
};
const latest = () => join(places(folder).backups, "latest.db");

test("a backup holds every row, is proven, and says what is in it", async () => {
  await layLab(folder);
  const { outcome } = await backUp();
  expect(outcome).toMatchObject({ outcome: "created", pointCount: 1, warnings: [] });
  expect(databaseRows(latest())).toEqual(databaseRows(places(folder).database));
  const [point] = await points();
  expect(point?.files.map(({ name }) => name)).toEqual([expect.stringMatching(/^webui_\d{8}_\d{6}\.db$/)]);
  expect(await readFile(point?.files[0]?.path as string)).toEqual(await readFile(latest()));
  expect(point?.manifest).toMatchObject({
    identity: { label: expect.stringMatching(/^install of 2024-07-02 \(first user [0-9a-f]{8}\)$/) },
    facts: { revision: "3ff2c63645b8", rows: { user: 3, chat: 20, file: 6 }, danglingRows: 0, journalMode: "delete" },
  });
  expect((await backUp()).outcome.outcome).toBe("unchanged");
  say(places(folder).database, "hello");
  expect((await backUp()).outcome.outcome).toBe("created");
  expect(said(latest())).toEqual(["hello"]);
  expect(await history()).toHaveLength(2);
});

test("an untouched database is not read again, and one that was vacuumed, or written to and back, is unchanged", async () => {
  await layLab(folder);
  const { database } = places(folder);
  await backUp();
  const again = await backUp();
  expect(again.outcome.outcome).toBe("unchanged");
  expect(again.steps.filter((step) => /staging|scratch|history/.test(step))).toEqual([]);
  change(database, (db) => db.exec("CREATE TABLE t (a); DROP TABLE t; VACUUM"));
  const touched = await backUp();
  expect(touched.outcome.outcome).toBe("unchanged");
  expect(touched.steps.join()).toContain("scratch");
  expect((await backUp()).steps.filter((step) => /staging|scratch/.test(step))).toEqual([]);
  expect(await history()).toHaveLength(1);
});

test("what is written while a backup is under way is in the next one", async () => {
  await layLab(folder);
  const { database } = places(folder);
  for (const [title, moment] of [
    ["before it is copied", /^copy .*webui\.db to /],
    ["after it was copied", /^create .*\/staging\/.*database$/],
  ] as const) {
    say(database, `something new, ${title}`);
    await backUp({
      onStep: async (what) => {
        if (moment.test(what) && !said(database).includes(title)) say(database, title);
      },
    });
    expect(said(database)).toContain(title);
    await backUp();
    expect(said(latest())).toEqual(said(database));
  }
});

test("rows that stand in the WAL only are in the backup (a copy of files lost all entries elsewhere)", async () => {
  await layLab(folder, { wal: true });
  const { database, data } = places(folder);
  await backUp();
  const db = new DatabaseSync(database);
  try {
    const before = await readFile(database);
    db.exec("UPDATE chat SET title = 'in the WAL', created_at = 1 WHERE rowid = 1");
    expect(await readFile(database)).toEqual(before);
    expect((await backUp()).outcome.outcome).toBe("created");
    expect(said(latest())).toEqual(["in the WAL"]);
  } finally {
    db.close();
  }
  expect((await readdir(data)).filter((name) => name.startsWith("webui.db"))).toEqual(["webui.db"]);
});

test("in DELETE mode nothing is stopped, and the app writes on; a WAL on a network is read while the app is down, which comes back", async () => {
  await layLab(folder, { settings: { network: true } });
  const { database } = places(folder);
  await exec(process.execPath, [webuiServer, "start", "--data", places(folder).data]);
  try {
    const { outcome, steps } = await backUp();
    expect(outcome.outcome).toBe("created");
    expect(steps.filter((step) => /^(stop|start) /.test(step))).toEqual([]);
    await exec(process.execPath, [webuiServer, "stop", "--data", places(folder).data]);

    await configure(folder, { network: true, workload: workload(folder, "--wal") });
    await exec(process.execPath, [webuiServer, "start", "--data", places(folder).data, "--wal"]);
    say(database, "to the WAL");
    const asleep = await backUp();
    expect(asleep.outcome).toMatchObject({ outcome: "created", warnings: [] });
    expect(asleep.steps.filter((step) => /^(stop|start) /.test(step))).toEqual(["stop open-webui", "start open-webui"]);
    expect(said(latest())).toEqual(["to the WAL"]);
    expect(await isRunning(folder)).toBe(true);
    // The server has opened it again, and written nothing.
    expect((await backUp()).outcome.outcome).toBe("unchanged");
    expect(await isRunning(folder)).toBe(true);
  } finally {
    await exec(process.execPath, [webuiServer, "stop", "--data", places(folder).data]);
  }
});

test("a WAL on a network is refused, with the remedy, when the app cannot be stopped", async () => {
  await layLab(folder, { wal: true, settings: { network: true, workload: undefined } });
  const { outcome } = await backUp();
  expect(outcome).toMatchObject({ failure: { code: "invalid_config", hint: expect.stringContaining("workload") } });
});

test("a fresh install is refused, also one with a new user, and the good copies stay", async () => {
  await layLab(folder);
  const { database } = places(folder);
  await backUp();
  const good = await contentHash(latest());
  await rm(database);
  makeDatabase(database, { users: 0, chats: 0, files: 0 });
  expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code: "source_empty" } });
  await rm(database);
  // As big as the old one.
  makeDatabase(database, { seed: "another install", chats: 25 });
  const { outcome, told } = await backUp();
  expect(outcome).toMatchObject({ outcome: "refused", failure: { code: "source_replaced" } });
  expect(told.map(({ subject }) => subject)).toEqual(["backups.refused"]);
  expect(await contentHash(latest())).toBe(good);
  expect(await history()).toHaveLength(1);
  expect((await run({ operation: "accept" })).outcome.outcome).toBe("accepted");
  expect((await backUp()).outcome.outcome).toBe("created");
  expect((await points()).map(({ manifest }) => manifest?.identity?.id)).toHaveLength(2);
  expect((await backUp()).outcome.outcome).toBe("unchanged");
});

test("a database that was emptied is refused although its file is as big as before, until that is accepted", async () => {
  await layLab(folder, { chats: 80 });
  const { database } = places(folder);
  await backUp();
  change(database, (db) => db.exec("DELETE FROM chat; DELETE FROM chat_message"));
  expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code: "source_smaller" } });
  await run({ operation: "accept" });
  expect((await backUp()).outcome.outcome).toBe("created");
});

test("a database that is gone, empty or no database fails the backup (an unreadable volume gave an empty snapshot elsewhere)", async () => {
  await layLab(folder);
  const { database } = places(folder);
  await backUp();
  for (const [content, code] of [
    ["", "source_empty"],
    ["no database ".repeat(100), "source_invalid"],
  ] as const) {
    await writeFile(database, content);
    expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code } });
  }
  await rm(database);
  expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code: "source_missing" } });
  expect(await history()).toHaveLength(1);
});

test("a damaged database is not published, prunes nothing, and the reason is told (dumps that nobody looked at were called a success elsewhere)", async () => {
  await layLab(folder, { chats: 60 });
  const { database } = places(folder);
  for (const title of ["one", "two"]) {
    say(database, title);
    await backUp();
  }
  const before = await history();
  const file = await open(database, "r+");
  // An index that lacks rows is what VACUUM would rebuild, and nobody would hear of it.
  const { rootpage } = indexOf(database, "updated_at_user_id_idx");
  await file.write(Buffer.from([0x0a, 0, 0, 0, 0, 0x10, 0, 0]), 0, 8, (rootpage - 1) * 4096);
  await file.close();
  const { outcome } = await backUp();
  expect(outcome).toMatchObject({ outcome: "refused", failure: { code: "source_invalid" } });
  expect(outcome.message).toMatch(/integrity_check says|malformed/);
  expect(await history()).toEqual(before);
});

test("what a crash has left beside the database is rolled back in the backup, and left to the app where it lies", async () => {
  await layLab(folder);
  const { data, database } = places(folder);
  const before = databaseRows(database);
  await exec(process.execPath, [webuiServer, "crash", "--data", data]).catch(() => {});
  expect(await readdir(data)).toContain("webui.db-journal");
  expect((await backUp()).outcome.outcome).toBe("created");
  expect(databaseRows(latest())).toEqual(before);
  expect(await readdir(data)).toContain("webui.db-journal");
  // A restore over it: the old journal would be rolled back into the restored database, and nothing would notice.
  expect((await run({ operation: "restore" })).outcome.outcome).toBe("restored");
  expect(await readdir(data)).not.toContain("webui.db-journal");
  expect(databaseRows(database)).toEqual(before);
});

test("a restored database that nobody has written to is unchanged for the next backup", async () => {
  await layLab(folder);
  await backUp();
  say(places(folder).database, "lost");
  await run({ operation: "restore" });
  expect((await backUp()).outcome.outcome).toBe("unchanged");
});

test("a file of the history that is damaged in any way is found before the app is touched", async () => {
  await layLab(folder);
  const { database, backups } = places(folder);
  await backUp();
  const path = join(backups, "history", (await history())[0] as string);
  const good = await readFile(path);
  const rows = databaseRows(database);
  const changed = (offset: number) =>
    Buffer.concat([good.subarray(0, offset), Buffer.from([good[offset]! ^ 1]), good.subarray(offset + 1)]);
  const cases = [
    good.subarray(0, good.length - 4096),
    good.subarray(0, 1000),
    Buffer.alloc(0),
    changed(good.length >> 1),
    changed(3),
  ];
  for (const bytes of cases) {
    await writeFile(path, bytes);
    const { outcome, steps } = await run({ operation: "restore", at: "latest" });
    expect(outcome.failure?.code).toMatch(/^(backup_damaged|not_found)$/);
    expect(steps.filter((step) => step.includes(places(folder).data))).toEqual([]);
  }
  expect(databaseRows(database)).toEqual(rows);
});

test("a backup of a newer image than the one that runs: its database is warned about, does not start, and the old one comes back", async () => {
  const { data, database } = places(folder);
  await layLab(folder);
  await backUp();
  await rm(database);
  makeDatabase(database, { chats: 25, revision: revisions[1] });
  await configure(folder, { workload: workload(folder, "--head", revisions[1]) });
  await exec(process.execPath, [webuiServer, "start", "--data", data, "--head", revisions[1]]);
  const before = databaseRows(database);
  try {
    const { outcome } = await run({ operation: "restore" });
    expect(outcome).toMatchObject({ outcome: "failed", failure: { code: "workload_failed" } });
    expect(outcome.message).toContain("Can't locate revision");
    expect(outcome.warnings.join()).toContain("the app must be at least as new");
    expect(databaseRows(database)).toEqual(before);
    expect(await isRunning(folder)).toBe(true);
  } finally {
    await exec(process.execPath, [webuiServer, "stop", "--data", data]);
  }
});

test("the incumbent's files are listed, vouched for and restored from, and another install does not push them out", async () => {
  await layLab(folder);
  const { backups, database } = places(folder);
  await mkdir(join(backups, "history"), { recursive: true });
  const old = join(backups, "history/webui_20251219_040000.db");
  makeDatabase(old, { chats: 19 });
  await copyFile(old, latest());
  expect((await run({ operation: "restore", at: "20251219-040000" })).outcome).toMatchObject({ outcome: "restored" });
  expect(databaseRows(database)).toEqual(databaseRows(old));
  await rm(join(places(folder).nas, ".keepsake/open-webui"), { recursive: true });
  await rm(database);
  makeDatabase(database, { seed: "another install", chats: 25 });
  expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code: "source_replaced" } });
});

test("uploads are a file of their own, gated apart, and come back with the database", async () => {
  await layLab(folder, { settings: { uploads: true } });
  const { database, uploads, backups } = places(folder);
  const files = await folderFiles(uploads);
  expect((await backUp()).outcome).toMatchObject({ outcome: "created", warnings: [] });
  expect((await backUp()).outcome.outcome).toBe("unchanged");
  // Only the database: the archive of the point before is the new one's too.
  say(database, "hello");
  await backUp();
  const names = async () => (await history()).map((name) => name.replaceAll(/\d{8}_\d{6}/g, "#"));
  expect(await names()).toEqual(["webui-uploads_#.tar.gz", "webui_#.db", "webui_#.db"]);
  // Only the uploads.
  await writeFile(join(uploads, "new.txt"), "new");
  await backUp();
  expect(await names()).toEqual(["webui-uploads_#.tar.gz", "webui-uploads_#.tar.gz", "webui_#.db"]);
  const newest = (await points()).at(-1)?.manifest;
  expect(newest).toMatchObject({
    identity: { id: expect.any(String) },
    facts: { rows: { chat: 21 }, uploads: { files: 7 } },
  });
  expect((await backUp()).outcome.outcome).toBe("unchanged");

  await rm(uploads, { recursive: true });
  expect((await backUp()).outcome).toMatchObject({ failure: { code: "source_missing" } });
  await mkdir(uploads);
  say(database, "more");
  expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code: "source_empty" } });
  expect((await run({ operation: "restore" })).outcome).toMatchObject({ outcome: "restored", warnings: [] });
  const back = await folderFiles(uploads);
  back.delete("upload new.txt");
  expect(back).toEqual(files);

  await configure(folder);
  await backUp();
  expect((await readdir(backups)).sort()).toEqual(["history", "latest.db"]);
});

test("a cancelled run ends at once, also while SQLite works, and leaves nothing", async () => {
  await layLab(folder);
  const stop = new AbortController();
  const { outcome } = await backUp({
    signal: stop.signal,
    onStep: (what) => {
      if (what.startsWith("copy ")) setImmediate(() => stop.abort(new Failure("cancelled", "The run was cancelled")));
    },
  });
  expect(outcome).toMatchObject({ outcome: "cancelled" });
  expect(await readdir(join(places(folder).state, "scratch")).catch(() => [])).toEqual([]);
  expect(await readdir(join(places(folder).nas, ".keepsake/open-webui/staging"))).toEqual([]);
});

test("scratch is nobody else's to read, lies under this machine's state, and is gone after a run", async () => {
  await layLab(folder);
  const scratch = join(places(folder).state, "scratch/open-webui");
  let modes: number[] = [];
  await backUp({
    onStep: async (what) => {
      if (!what.startsWith("copy ") || modes.length > 0) return;
      const [id] = await readdir(scratch);
      modes = [await stat(join(scratch, id as string))].map(({ mode }) => mode & 0o777);
    },
  });
  expect(modes).toEqual([0o700]);
  expect(await readdir(scratch).catch(() => [])).toEqual([]);
});

test("a machine without room for the copy fails the run before anything is written to the NAS", async ({ skip }) => {
  await layLab(folder, { chats: 400, messageBytes: 4000 });
  const { state } = places(folder);
  await mkdir(state);
  const small = await exec("mount", ["-t", "tmpfs", "-o", "size=17m", "tmpfs", state]).then(
    () => true,
    () => false,
  );
  if (!small) skip("mounting a small file system needs root");
  try {
    const { outcome } = await backUp();
    expect(outcome).toMatchObject({ outcome: "failed", failure: { code: "no_space" } });
    expect(outcome.message).toContain("to this machine");
    expect(await history().catch(() => [])).toEqual([]);
  } finally {
    await exec("umount", [state]);
  }
});

test("a restore brings back every row, and its undo brings back what was there", async () => {
  await layLab(folder);
  const { database, data } = places(folder);
  const before = databaseRows(database);
  await backUp();
  say(database, "later");
  const { outcome } = await run({ operation: "restore" });
  expect(outcome).toMatchObject({ outcome: "restored", warnings: [] });
  expect(databaseRows(database)).toEqual(before);
  expect((await readdir(data)).sort()).toEqual([".keepsake", "cache", "uploads", "vector_db", "webui.db"]);
  expect((await run({ operation: "undo" })).outcome.outcome).toBe("undone");
  expect(said(database)).toEqual(["later"]);
});

test("a runner in few files finds the process that SQLite works in", async () => {
  await layLab(folder);
  const clone = join(folder, "clone");
  for (const name of ["functions", "shared", "events", "package.json", "package-lock.json"]) {
    await cp(join(import.meta.dirname, "../..", name), join(clone, name), { recursive: true });
  }
  await symlink(join(import.meta.dirname, "../../node_modules"), join(clone, "node_modules"));
  await exec(process.execPath, [join(clone, "functions/build.ts")]);
  const [bundle] = await readdir(join(clone, "build/runner"));
  const request = { operation: "backup", app: "open-webui", allow: [] };
  const description = { id: "bundled", function: "backup-open-webui", app: "open-webui", startedBy: "a test", request };
  const path = join(folder, "run.json");
  await writeFile(path, JSON.stringify({ ...description, startedAt: new Date().toISOString() }));
  const runner = join(clone, "build/runner", bundle as string, "run.cjs");
  const { stdout } = await exec(process.execPath, [runner, places(folder).config, path]);
  expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "")).toMatchObject({ outcome: "created" });
});
