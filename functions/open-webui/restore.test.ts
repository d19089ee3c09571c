import { writeFileSync } from "node:fs";
import { chmod, chown, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { databaseRows } from "../../deploy/local/lab/open-webui/content.ts";
import { makeDatabase, makeInstall } from "../../deploy/local/lab/open-webui/make-database.ts";
import { revisions } from "../../deploy/local/lab/open-webui/schema.ts";
import type { PointFacts } from "../../shared/app.ts";
import { openReadBack } from "../../shared/nas/read-back.ts";
import { readTree, tempFolder } from "../../shared/testing.ts";
import { restore } from "./restore.ts";
import { folderStage, testContext } from "./testing.ts";
import { captureUploads } from "./uploads.ts";

const point: PointFacts = { id: "20251219-040000", takenAtMs: Date.UTC(2025, 11, 19, 4) };

/** A backup of ten chats, and a data folder with another database in it. */
async function lab({
  backup = {},
  settings = {},
}: {
  backup?: Parameters<typeof makeDatabase>[1];
  settings?: object;
} = {}) {
  const root = await tempFolder();
  const data = join(root, "data");
  await makeInstall(data, { chats: 3, seed: "present" });
  const saved = join(root, "saved.db");
  makeDatabase(saved, { chats: 10, seed: "saved", files: 0, ...backup });
  const file = await openReadBack(saved);
  onTestFinished(() => file.close());
  const made = await testContext({ data, ...settings });
  const path = join(data, "webui.db");
  return { root, data, saved, path, ...made, files: new Map([["database", file]]), target: restore.target(made.ctx) };
}

test("restore puts the very bytes in place, and takes what lies beside the old database away with it", async () => {
  const { data, saved, path, target, files, warnings } = await lab();
  const sidecars = { "webui.db-wal": "w", "webui.db-shm": "s", "webui.db-journal": "j" };
  for (const [name, content] of Object.entries(sidecars)) await writeFile(join(data, name), content);
  const before = await readTree(data);
  await target.stage(files, point);
  expect(await readTree(data)).toMatchObject(before);
  await target.swap();
  expect((await readdir(data)).sort()).toEqual([".keepsake", "cache", "uploads", "vector_db", "webui.db"]);
  expect(await readFile(path)).toEqual(await readFile(saved));
  await target.commit();
  const [aside] = await target.asides();
  expect(aside?.label).toContain("webui.db-journal");
  expect(warnings).toEqual([]);

  const undo = restore.target((await testContext({ data }, { runId: "undo" })).ctx);
  await undo.stageAside(aside as never);
  await undo.swap();
  await undo.commit();
  expect(await readTree(data)).toMatchObject(before);
});

test("restore leaves no database in place beside which a WAL has come up again, and rollBack() brings the old one back", async () => {
  const { data, path, files } = await lab();
  const before = databaseRows(path);
  // The app was not stopped after all.
  let moved = false;
  const { ctx } = await testContext(
    { data },
    {
      onStep(what) {
        if (moved) writeFileSync(`${path}-wal`, "of the old one");
        moved = what.startsWith("rename ") && what.endsWith(`/new/webui.db to ${path}`);
      },
    },
  );
  const target = restore.target(ctx);
  await target.stage(files, point);
  await expect(target.swap()).rejects.toMatchObject({
    code: "restore_failed",
    message: expect.stringContaining("webui.db-wal"),
  });
  await rm(`${path}-wal`);
  await target.rollBack();
  expect(databaseRows(path)).toEqual(before);
});

test("restore gives the database to the owner of the one that was there, with its mode", async () => {
  const { path, target, files } = await lab();
  await chmod(path, 0o640);
  const root = process.getuid?.() === 0;
  if (root) await chown(path, 1234, 4321);
  await target.stage(files, point);
  await target.swap();
  const { uid, gid, mode } = await stat(path);
  expect(mode & 0o777).toBe(0o640);
  if (root) expect([uid, gid]).toEqual([1234, 4321]);
});

test("restore brings back a folder that is gone", async () => {
  const { root, saved, files } = await lab();
  const data = join(root, "new/data");
  const target = restore.target((await testContext({ data })).ctx);
  expect(await target.present()).toBeUndefined();
  await target.stage(files, point);
  await target.swap();
  await target.commit();
  expect(await readFile(join(data, "webui.db"))).toEqual(await readFile(saved));
});

test("restore wants the rows that the manifest counted", async () => {
  const { target, files, path } = await lab();
  const before = databaseRows(path);
  const rows = { chat: 11, user: 3 };
  await expect(target.stage(files, { ...point, facts: { rows } })).rejects.toMatchObject({
    code: "backup_damaged",
    message: expect.stringContaining('11 rows of "chat" are wanted, are 10'),
  });
  await expect(target.stage(files, { ...point, facts: { rows: { gone: 1 } } })).rejects.toMatchObject({
    code: "backup_damaged",
  });
  await target.stage(files, { ...point, facts: { rows: { chat: 10, user: 3 } } });
  await target.rollBack();
  expect(databaseRows(path)).toEqual(before);
});

test("restore warns when the revisions differ: a newer database under an older image does not start", async () => {
  const [old, current] = [revisions[1], revisions.at(-1)];
  const { target, files, warnings } = await lab({ backup: { revision: old } });
  await target.stage(files, point);
  expect(warnings).toEqual([expect.stringContaining(`revision ${old}, the present one ${current}`)]);
});

test("restore tells the revision before from the newest backup when the present database cannot be read", async () => {
  const { data, ctx, path, files, warnings } = await lab();
  await writeFile(path, "rubble");
  const manifest = { facts: { revision: revisions[0] } };
  const pointsOf = async () => [{ good: true, manifest }] as never;
  await restore.target({ ...ctx, pointsOf }).stage(files, point);
  expect(warnings).toEqual([expect.stringContaining(`the present one ${revisions[0]}`)]);
  expect(await restore.target(ctx).present()).toMatchObject({ label: "webui.db", sizeBytes: 6 });
  await rm(data, { recursive: true });
});

test("restore brings the uploads back as a whole, and sets those aside that came later", async () => {
  const { root, data, ctx, files } = await lab({ settings: { uploads: true } });
  const kept = join(root, "kept");
  await mkdir(kept);
  await writeFile(join(kept, "1_manual.txt"), "turn it on");
  const staged = await tempFolder();
  const { about } = await captureUploads(ctx, kept, folderStage(staged));
  const archive = await openReadBack(join(staged, "uploads"));
  onTestFinished(() => archive.close());
  const target = restore.target(ctx);
  const before = await readTree(join(data, "uploads"));
  await target.stage(new Map([...files, ["uploads", archive]]), { ...point, about: new Map([["uploads", about]]) });
  await target.swap();
  await target.commit();
  expect(await readTree(join(data, "uploads"))).toEqual({ "1_manual.txt": "turn it on" });
  const [aside] = await target.asides();
  expect(await readTree(join(data, ".keepsake/replaced", aside?.id as string, "uploads"))).toEqual(before);
});

test("restore says which uploads its rows refer to and are not there", async () => {
  const { target, files, warnings } = await lab({ backup: { files: 2 } });
  await target.stage(files, point);
  expect(warnings).toEqual([
    expect.stringMatching(/^2 files that the database refers to are not in ".*uploads": .*manual 0\.txt/),
  ]);
});

test("present() tells what is there, and of which install", async () => {
  const { target, path } = await lab();
  expect(await target.present()).toMatchObject({
    label: "webui.db: 3 users, 3 chats",
    sizeBytes: (await stat(path)).size,
    identity: { id: expect.stringMatching(/^first-user:/) },
  });
});
