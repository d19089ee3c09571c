import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { databaseRows } from "../../deploy/local/lab/open-webui/content.ts";
import { chatWriter, makeDatabase } from "../../deploy/local/lab/open-webui/make-database.ts";
import { tempFolder } from "../../shared/testing.ts";
import { takeSnapshot } from "./snapshot.ts";
import { testContext } from "./testing.ts";

const server = join(import.meta.dirname, "../../deploy/local/lab/open-webui/server.ts");

async function lab(options: Parameters<typeof makeDatabase>[1] = {}) {
  const data = join(await tempFolder(), "data");
  await mkdir(data);
  const path = join(data, "webui.db");
  makeDatabase(path, { chats: 40, ...options });
  const open = () => {
    const db = new DatabaseSync(path, { enableForeignKeyConstraints: false, timeout: 5000 });
    onTestFinished(() => (db.isOpen ? db.close() : undefined));
    return db;
  };
  const take = async (asleep = false, settings = {}) =>
    takeSnapshot((await testContext({ data, ...settings })).ctx, path, asleep);
  return { data, path, open, take };
}

const crash = (data: string, ...options: string[]) =>
  promisify(execFile)(process.execPath, [server, "crash", "--data", data, ...options]).catch(() => {});

test("takeSnapshot() gives the same bytes for the same content, however the database got there and was read", async () => {
  const { path, open, take } = await lab();
  const bytes = async (asleep?: boolean) => readFile((await take(asleep)).path);
  const first = await bytes();
  expect(await bytes(true)).toEqual(first);
  const db = open();
  db.exec("UPDATE chat SET title = title || '!' ; UPDATE chat SET title = rtrim(title, '!')");
  db.exec("CREATE TABLE scratch (a); INSERT INTO scratch VALUES (randomblob(100000)); DROP TABLE scratch");
  expect(await bytes()).toEqual(first);
  db.exec("VACUUM; PRAGMA journal_mode=WAL; INSERT INTO memory (id) VALUES ('x'); DELETE FROM memory WHERE id = 'x'");
  expect(await bytes()).toEqual(first);
  db.close();
  // What a restore puts in place.
  await copyFile((await take()).path, path);
  expect(await bytes()).toEqual(first);
  expect(await bytes(true)).toEqual(first);
});

test("takeSnapshot() takes what is committed, and leaves the database and what lies beside it as they were", async () => {
  const { data, path, open, take } = await lab();
  const db = open();
  db.exec("BEGIN; DELETE FROM chat");
  const before = await readFile(path);
  expect((await take()).facts.rows.chat).toBe(40);
  db.exec("ROLLBACK");
  expect(await readFile(path)).toEqual(before);
  expect(await readdir(data)).toEqual(["webui.db"]);
});

test("takeSnapshot() takes what stands in the WAL only, while the app has the database open", async () => {
  const { data, path, open, take } = await lab({ wal: true });
  const db = open();
  chatWriter(db)(100);
  const [main, names] = [await readFile(path), await readdir(data)];
  expect(names).toContain("webui.db-shm");
  expect((await take()).facts.rows.chat).toBe(41);
  expect(await readFile(path)).toEqual(main);
  expect(await readdir(data)).toEqual(names);
});

test("takeSnapshot() takes what a crash has left in a WAL, and makes nothing beside a database that nobody has open", async () => {
  const { data, path, open, take } = await lab({ wal: true });
  const db = open();
  chatWriter(db)(100);
  // The files as a crash leaves them; the index goes with a reboot.
  const crashed = await lab({ wal: true });
  await copyFile(path, crashed.path);
  await copyFile(`${path}-wal`, `${crashed.path}-wal`);
  expect((await crashed.take()).facts.rows.chat).toBe(41);
  expect((await readdir(crashed.data)).sort()).toEqual(["webui.db", "webui.db-wal"]);
  db.close();
  expect(await readdir(data)).toEqual(["webui.db"]);
  expect((await take()).facts.rows.chat).toBe(41);
  expect((await take(true)).facts.rows.chat).toBe(41);
  expect(await readdir(data)).toEqual(["webui.db"]);
});

test("takeSnapshot() rolls a crash's journal back in its copy, and leaves it to the app where it lies", async () => {
  const { data, path, take } = await lab();
  const before = databaseRows(path);
  await crash(data);
  const [main, journal] = [await readFile(path), await readFile(`${path}-journal`)];
  const taken = await take();
  expect(databaseRows(taken.path)).toEqual(before);
  expect(taken.facts.rows.chat).toBe(40);
  expect([await readFile(path), await readFile(`${path}-journal`)]).toEqual([main, journal]);
});

test("takeSnapshot() follows no journal that leads to other files", async () => {
  const { data, path, take } = await lab();
  await crash(data);
  const victim = join(data, "victim");
  await writeFile(victim, "mine");
  const journal = await readFile(`${path}-journal`);
  // A super-journal record: its page, name, length, sum and magic.
  const name = Buffer.from(victim);
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(name.length, 0);
  tail.writeUInt32BE(
    name.reduce((sum, byte) => sum + byte, 0),
    4,
  );
  await writeFile(
    `${path}-journal`,
    Buffer.concat([journal, Buffer.alloc(4), name, tail, Buffer.from("d9d505f920a163d7", "hex")]),
  );
  await expect(take()).rejects.toMatchObject({
    code: "source_invalid",
    message: expect.stringContaining("several databases"),
  });
  expect(await readFile(victim, "utf8")).toBe("mine");
});

test("takeSnapshot() shows one moment while somebody writes all the time, and does not keep them from it", async () => {
  const { path, open, take } = await lab({ chats: 120, messageBytes: 4000 });
  const db = open();
  const add = chatWriter(db, { seed: "busy" });
  let [written, over] = [0, false];
  const write = () => {
    if (over) return;
    db.exec("BEGIN IMMEDIATE");
    add(written);
    db.exec("COMMIT");
    written += 1;
    setTimeout(write, 5);
  };
  write();
  const taken = await take().finally(() => {
    over = true;
  });
  const { chat, chat_message } = taken.facts.rows;
  expect(chat).toBeGreaterThanOrEqual(120);
  expect(chat).toBeLessThanOrEqual(120 + written);
  expect(chat_message).toBe(4 * (chat ?? 0));
  // One is written before it begins; on a slow machine few follow, but they do.
  expect(written).toBeGreaterThan(1);
  expect(databaseRows(path).get("rows chat")).toMatch(new RegExp(`^${120 + written} rows`));
});

test("takeSnapshot() waits for a lock, not for ever", async () => {
  const { path, take } = await lab();
  // Another process: the locks of this one go when any of its descriptors of the file is closed.
  const script = `const db = new (require("node:sqlite").DatabaseSync)(process.argv[1]);
    db.exec("BEGIN EXCLUSIVE"); console.log("locked"); process.stdin.once("data", () => db.exec("ROLLBACK"));`;
  const holder = spawn(process.execPath, ["-e", script, path], { stdio: ["pipe", "pipe", "ignore"] });
  onTestFinished(() => void holder.kill());
  await once(holder.stdout, "data");
  let released = false;
  const taking = take().then(({ facts }) => ({ chats: facts.rows.chat, released }));
  setTimeout(() => {
    released = true;
    holder.stdin.write("release");
  }, 400);
  expect(await taking).toEqual({ chats: 40, released: true });
});

test("takeSnapshot() copies no files that somebody writes to", async () => {
  const { data, path, open } = await lab();
  const db = open();
  const { ctx } = await testContext({ data });
  let writes = 0;
  const progress = () => void db.exec(`UPDATE chat SET title = '${writes++}'`);
  await expect(takeSnapshot({ ...ctx, progress }, path, true)).rejects.toMatchObject({ code: "source_changing" });
  expect(writes).toBeGreaterThanOrEqual(3);
});

test("takeSnapshot() refuses an index that lacks a row, which VACUUM would write anew as if nothing had been", async () => {
  const { path, take } = await lab();
  const tamper = (work: (db: DatabaseSync) => void) => {
    const db = new DatabaseSync(path, { defensive: false });
    db.exec("PRAGMA writable_schema=ON");
    work(db);
    db.close();
  };
  let row: unknown[] = [];
  tamper((db) => {
    row = Object.values(db.prepare("SELECT * FROM sqlite_schema WHERE name = 'folder_id_idx'").get() ?? {});
    db.exec("DELETE FROM sqlite_schema WHERE name = 'folder_id_idx'");
  });
  tamper((db) => db.exec("UPDATE chat SET folder_id = 'x' WHERE rowid = 1"));
  tamper((db) => db.prepare("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)").run(...(row as string[])));
  for (const asleep of [false, true]) {
    await expect(take(asleep)).rejects.toMatchObject({
      code: "source_invalid",
      message: expect.stringContaining("row 1 missing from index"),
    });
  }
});

test("takeSnapshot() names what is no database of Open WebUI's, and what is damaged", async () => {
  const { path, open, take } = await lab();
  open().exec("DROP TABLE chat");
  await expect(take()).rejects.toMatchObject({
    code: "source_invalid",
    message: expect.stringContaining("chat is not there"),
  });
  await rename(path, `${path}.old`);
  await expect(take()).rejects.toMatchObject({ code: "source_missing" });
  await writeFile(path, "");
  await expect(take()).rejects.toMatchObject({ code: "source_empty" });
  await writeFile(path, "SQLCipher's pages look like noise ".repeat(200));
  await expect(take()).rejects.toMatchObject({ code: "source_invalid", hint: expect.stringContaining("SQLCipher") });
});

test("takeSnapshot() reads a database that it may not write to, a crash's journal beside it too", async ({ skip }) => {
  const { data, path } = await lab();
  await crash(data);
  const mounted = join(await tempFolder(), "mounted");
  await mkdir(mounted);
  const bind = ["--bind", data, mounted];
  const exec = promisify(execFile);
  const able = await exec("mount", bind).then(
    () => true,
    () => false,
  );
  if (!able) skip("a read-only mount needs root");
  onTestFinished(async () => void (await exec("umount", [mounted])));
  await exec("mount", ["-o", "remount,bind,ro", mounted]);
  await chmod(path, 0o444);
  const { ctx } = await testContext({ data: mounted });
  expect((await takeSnapshot(ctx, join(mounted, "webui.db"), false)).facts.rows.chat).toBe(40);
  expect((await stat(`${path}-journal`)).size).toBeGreaterThan(0);
});
