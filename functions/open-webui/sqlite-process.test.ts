import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { makeDatabase, makeInstall } from "../../deploy/local/lab/open-webui/make-database.ts";
import { tempFolder } from "../../shared/testing.ts";
import { askSqlite, SqliteRefusal } from "./sqlite-process.ts";
import { overwrite } from "./testing.ts";

const sizeBytes = 1_000_000;

async function database(options: Parameters<typeof makeDatabase>[1] = {}) {
  const folder = await tempFolder();
  const path = join(folder, "webui.db");
  makeDatabase(path, { chats: 30, ...options });
  return { folder, path, prove: () => askSqlite({ operation: "prove", path }, { sizeBytes }) };
}

/** Changes the database by any trick. */
function tamper(path: string, work: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(path, { defensive: false, enableForeignKeyConstraints: false });
  db.exec("PRAGMA writable_schema=ON");
  work(db);
  db.close();
}

const refused = (kind: string, message: RegExp) =>
  expect.objectContaining({ problem: { kind, message: expect.stringMatching(message) } });

test("askSqlite() proves a database and tells what is in it, leaving nothing beside it and no word on the terminal", async () => {
  const { folder, prove } = await database();
  const facts = await prove();
  expect(facts).toMatchObject({
    revision: "3ff2c63645b8",
    rows: { user: 3, auth: 3, chat: 30, chat_message: 120, alembic_version: 1 },
    firstUser: { id: expect.stringMatching(/^[0-9a-f-]{36}$/), createdAt: 1_719_901_984 },
    danglingRows: 0,
    sqliteVersion: process.versions.sqlite,
  });
  expect(await readdir(folder)).toEqual(["webui.db"]);
});

test("askSqlite() counts rows that refer to nothing, and does not mind them: the app never switches foreign keys on", async () => {
  const { path, prove } = await database();
  tamper(path, (db) => db.exec("DELETE FROM chat WHERE rowid <= 2"));
  expect((await prove()).danglingRows).toBe(8);
  // A reference that SQLite cannot make sense of.
  tamper(path, (db) => db.exec("CREATE TABLE odd (a REFERENCES chat (title)); INSERT INTO odd VALUES (1)"));
  expect(await prove()).not.toHaveProperty("danglingRows");
});

test("askSqlite() names what is damaged: a table's page, an index that lacks a row, a page that nobody owns", async () => {
  const zeroed = await database();
  await overwrite(zeroed.path, 20 * 4096, Buffer.alloc(4096, 0xff));
  await expect(zeroed.prove()).rejects.toEqual(refused("damaged", /integrity_check says|malformed/));

  const index = await database();
  let row: unknown[] = [];
  tamper(index.path, (db) => {
    row = Object.values(db.prepare("SELECT * FROM sqlite_schema WHERE name = 'folder_id_idx'").get() ?? {});
    db.exec("DELETE FROM sqlite_schema WHERE name = 'folder_id_idx'");
  });
  // What SQLite does not know as an index is not kept up.
  tamper(index.path, (db) => db.exec("UPDATE chat SET folder_id = 'x' WHERE rowid = 1"));
  tamper(index.path, (db) => db.prepare("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)").run(...(row as string[])));
  await expect(index.prove()).rejects.toEqual(refused("damaged", /integrity_check says: row 1 missing from index/));

  const cut = await database();
  const { size } = await stat(cut.path);
  await truncate(cut.path, size - 8 * 4096);
  await expect(cut.prove()).rejects.toEqual(refused("damaged", /malformed|integrity_check says/));
});

test("askSqlite() takes nothing for a database that is none", async () => {
  const { path, prove } = await database();
  for (const bytes of ["not a database ".repeat(1000), createHash("sha256").update("x").digest()]) {
    await writeFile(path, bytes);
    await expect(prove()).rejects.toEqual(refused("damaged", /not a database/));
  }
  await writeFile(path, "");
  await expect(prove()).rejects.toEqual(refused("foreign", /user, chat, alembic_version is not there/));
});

test("askSqlite() takes no view, no virtual table and no lie of the schema for a table", async () => {
  // Counting this one would never end.
  const endless =
    "CREATE VIEW chat AS WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n";
  const view = await database();
  tamper(view.path, (db) => db.exec(`ALTER TABLE chat RENAME TO other; ${endless}`));
  await expect(view.prove()).rejects.toEqual(refused("foreign", /chat is not there/));

  const disguised = await database();
  tamper(disguised.path, (db) => {
    db.exec(
      `ALTER TABLE chat RENAME TO other; ${endless}; UPDATE sqlite_schema SET type = 'table' WHERE name = 'chat'`,
    );
  });
  await expect(disguised.prove()).rejects.toBeInstanceOf(SqliteRefusal);

  const virtual = await database();
  tamper(virtual.path, (db) =>
    db.exec('ALTER TABLE "user" RENAME TO other; CREATE VIRTUAL TABLE "user" USING fts5(id, created_at)'),
  );
  await expect(virtual.prove()).rejects.toEqual(refused("foreign", /user is not there/));

  const malformed = await database();
  tamper(malformed.path, (db) =>
    db.exec("UPDATE sqlite_schema SET sql = 'CREATE TABLE nonsense (' WHERE name = 'chat'"),
  );
  await expect(malformed.prove()).rejects.toEqual(refused("damaged", /malformed database schema/));
});

test("askSqlite() runs nothing that stands in a database: triggers, functions of an index, an unknown module", async () => {
  const { folder, path, prove } = await database();
  const trap = join(folder, "trap.db");
  tamper(path, (db) => {
    db.exec(`CREATE TRIGGER t AFTER INSERT ON chat BEGIN SELECT load_extension('${trap}'); END;
             CREATE VIEW v AS SELECT writefile('${trap}', 'x'), readfile('/etc/passwd');
             CREATE VIRTUAL TABLE words USING fts5(word); INSERT INTO words VALUES ('harmless')`);
    db.exec(
      `INSERT INTO sqlite_schema VALUES ('table', 'evil', 'evil', 0, 'CREATE VIRTUAL TABLE evil USING nosuch(''${trap}'')')`,
    );
  });
  expect((await prove()).rows).toMatchObject({ chat: 30 });
  expect(await readdir(folder)).toEqual(["webui.db"]);
});

test("askSqlite() looks at no journal beside a file that it proves", async () => {
  const { path, prove } = await database();
  const before = await readFile(path);
  await writeFile(`${path}-journal`, Buffer.from("d9d505f920a163d7".repeat(100), "hex"));
  await writeFile(`${path}-wal`, Buffer.alloc(5000, 1));
  expect((await prove()).rows.chat).toBe(30);
  expect(await readFile(path)).toEqual(before);
});

test("askSqlite() ends at once when the run is cancelled, also while SQLite waits for a lock", async () => {
  const { folder, path } = await database();
  const holder = new DatabaseSync(path);
  onTestFinished(() => holder.close());
  holder.exec("BEGIN EXCLUSIVE");
  const cancel = new AbortController();
  const request = {
    operation: "snapshot",
    from: path,
    raw: join(folder, "raw"),
    into: join(folder, "into"),
    busyMs: 600_000,
  } as const;
  const asked = askSqlite(request, { sizeBytes, signal: cancel.signal });
  setTimeout(() => cancel.abort(new Error("cancelled")), 200);
  await expect(asked).rejects.toThrow("cancelled");
  const short = { ...request, busyMs: 50 };
  await expect(askSqlite(short, { sizeBytes })).rejects.toEqual(refused("busy", /locked/));
});

test("askSqlite() tells the same whether another connection has the database open or not", async () => {
  const { path } = await database();
  const other = new DatabaseSync(path);
  onTestFinished(() => other.close());
  other.exec("BEGIN; SELECT count(*) FROM chat");
  const look = await askSqlite({ operation: "look", path, busyMs: 1000 }, { sizeBytes });
  expect(look.rows.chat).toBe(30);
});

test("askSqlite() finds out which uploads are missing, and asks nothing about paths that lead elsewhere", async () => {
  const data = join(await tempFolder(), "data");
  await mkdir(data);
  await makeInstall(data, { chats: 1, files: 4 });
  const path = join(data, "webui.db");
  const folder = join(data, "uploads");
  const missing = async () => (await askSqlite({ operation: "prove", path, uploads: folder }, { sizeBytes })).uploads;
  expect(await missing()).toEqual({ referred: 4, missing: 0, names: [] });
  tamper(path, (db) =>
    db.exec(`INSERT INTO file (id, filename, path) VALUES ('1', 'a', 's3://bucket/a'), ('2', 'b', NULL),
      ('3', 'c', '/app/backend/data/uploads/../webui.db'), ('4', 'd', '/elsewhere/d')`),
  );
  expect(await missing()).toEqual({ referred: 7, missing: 3, names: ["2_b", "../webui.db", "d"] });
});
