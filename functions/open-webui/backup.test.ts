import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { makeDatabase, makeInstall } from "../../deploy/local/lab/open-webui/make-database.ts";
import { openReadBack } from "../../shared/nas/read-back.ts";
import { tempFolder } from "../../shared/testing.ts";
import type { Settings } from "./app.ts";
import { backup } from "./backup.ts";
import { folderStage, proving, testContext } from "./testing.ts";

async function lab(options: Parameters<typeof makeInstall>[1] = {}, settings: Partial<Settings> = {}) {
  const root = await tempFolder();
  const data = join(root, "data");
  await makeInstall(data, { chats: 12, ...options });
  const made = await testContext({ data, ...settings });
  return { root, data, path: join(data, "webui.db"), ...made };
}

const open = (path: string) => {
  const db = new DatabaseSync(path);
  onTestFinished(() => (db.isOpen ? db.close() : undefined));
  return db;
};

test("examine() reads no more than the header, and tells a write by any mode of journal", async () => {
  const { ctx, path, steps } = await lab();
  const print = async () => (await backup.examine(ctx)).fingerprint;
  const first = await print();
  expect(await print()).toBe(first);
  expect(steps).toEqual([]);
  const db = open(path);
  db.exec("UPDATE chat SET title = 'x'");
  const second = await print();
  expect(second).not.toBe(first);
  // A transaction under way, and one that stands in the WAL only.
  db.exec("BEGIN; UPDATE chat SET title = 'y'");
  expect(await print()).not.toBe(second);
  db.exec("ROLLBACK; PRAGMA journal_mode=WAL");
  const third = await print();
  db.exec("UPDATE chat SET title = 'z'");
  expect(await print()).not.toBe(third);
});

test("examine() counts no pages that hold nothing, and says nothing of a size that only the WAL can tell", async () => {
  const { ctx, path } = await lab();
  const before = (await backup.examine(ctx)).sizeBytes ?? 0;
  const db = open(path);
  db.exec("DELETE FROM chat; DELETE FROM chat_message");
  expect((await backup.examine(ctx)).sizeBytes).toBeLessThan(0.8 * before);
  db.exec("PRAGMA journal_mode=WAL");
  expect(await backup.examine(ctx)).not.toHaveProperty("sizeBytes");
});

test("examine() tells a file more among the uploads when they are kept", async () => {
  const { ctx, data } = await lab({}, { uploads: true });
  const first = await backup.examine(ctx);
  await writeFile(join(data, "uploads/new"), "1");
  const second = await backup.examine(ctx);
  expect(second.fingerprints.get("database")).toBe(first.fingerprints.get("database"));
  expect(second.fingerprints.get("uploads")).not.toBe(first.fingerprints.get("uploads"));
  expect(second.fingerprint).not.toBe(first.fingerprint);
});

test("stops() wants the app down only for a WAL on a network, and says what to do when it cannot be stopped", async () => {
  const stops = async (wal: boolean, network: boolean | "auto", canStop: boolean) => {
    const { ctx } = await lab({ wal, chats: 1, files: 1 }, { network });
    return backup.stops?.({ ...ctx, canStop }, await backup.examine(ctx));
  };
  expect(await stops(false, true, true)).toBe(false);
  expect(await stops(true, false, true)).toBe(false);
  expect(await stops(true, "auto", false)).toBe(false);
  expect(await stops(true, true, true)).toBe(true);
  await expect(stops(true, true, false)).rejects.toMatchObject({
    code: "invalid_config",
    hint: expect.stringContaining("DATABASE_ENABLE_SQLITE_WAL"),
  });
});

test("capture() of a WAL on a network takes the files as they lie, and leaves nothing beside them", async () => {
  const { ctx, data, root } = await lab({ wal: true }, { network: true });
  const source = await backup.examine(ctx);
  const captured = await backup.capture(ctx, source, folderStage(root));
  expect(captured.facts).toMatchObject({ journalMode: "wal", rows: { chat: 12 } });
  expect((await readdir(data)).sort()).toEqual(["cache", "uploads", "vector_db", "webui.db"]);
});

test("capture() refuses a fresh install, which has no user", async () => {
  const { ctx, root } = await lab({ users: 0 });
  const source = await backup.examine(ctx);
  await expect(backup.capture(ctx, source, folderStage(root))).rejects.toMatchObject({ code: "source_empty" });
});

test("capture() and verify() agree on what is in it, and on which install it is", async () => {
  const { ctx, root } = await lab({}, { uploads: true });
  const captured = await backup.capture(ctx, await backup.examine(ctx), folderStage(root));
  expect([...captured.checksums.keys()]).toEqual(["database", "uploads"]);
  const files = new Map(
    await Promise.all(
      [...captured.checksums.keys()].map(async (kind) => [kind, await openReadBack(join(root, kind))] as const),
    ),
  );
  const verified = await backup.verify(files, {
    ...(await proving()),
    ...(captured.about && { about: captured.about }),
  });
  for (const file of files.values()) await file.close();
  const { journalMode: _, ...facts } = captured.facts as Record<string, unknown>;
  expect(verified.facts).toEqual(facts);
  expect(verified.identity?.id).toMatch(/^first-user:[0-9a-f-]{36}$/);
});

test("verify() takes the incumbent's files: a copy by sqlite3, in WAL mode or not", async () => {
  const root = await tempFolder();
  for (const wal of [false, true]) {
    const path = join(root, `${wal}.db`);
    makeDatabase(path, { chats: 3, wal });
    const file = await openReadBack(path);
    const verified = await backup.verify(new Map([["database", file]]), await proving());
    await file.close();
    expect(verified.facts).toMatchObject({ rows: { chat: 3 } });
  }
});

test("changes() tells of another revision and of more dangling rows, not of what is not known", () => {
  const told = (before: object, now: object) => backup.changes?.({ ...before }, { ...now });
  expect(told({ revision: "a", danglingRows: 1 }, { revision: "a", danglingRows: 1 })).toEqual([]);
  expect(told({}, { revision: "a", danglingRows: 9 })).toEqual([]);
  expect(told({ revision: "a", danglingRows: 3 }, {})).toEqual([]);
  expect(told({ revision: "a" }, { revision: "b" })).toEqual([expect.stringContaining("from a to b")]);
  expect(told({ danglingRows: 1 }, { danglingRows: 3 })).toEqual([expect.stringContaining("3 rows")]);
});
