import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { stepsOf, stopDeadAt, tempFolder, testDisk } from "../testing.ts";
import { hiddenFolder, initNas, markerPath, openNas, requireSpace } from "./nas.ts";

test("check() knows a marked export", async () => {
  const root = await tempFolder();
  const { created, ...marker } = await initNas(root, testDisk(), () => Date.UTC(2025, 11, 19));
  expect(created).toBe(true);
  expect(marker).toEqual({
    version: 1,
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    createdAt: "2025-12-19T00:00:00.000Z",
  });
  expect(await openNas(root).check()).toEqual(marker);
});

test("check() refuses a folder without the marker, such as an empty mount point, and says how to mark it", async () => {
  const root = await tempFolder();
  await expect(openNas(root).check()).rejects.toMatchObject({
    code: "nas_not_marked",
    message: expect.stringContaining(root),
    hint: expect.stringContaining(`make init-nas NAS="${root}"`),
  });
  await expect(openNas(join(root, "not-there")).check()).rejects.toMatchObject({ code: "nas_not_marked" });
  await writeFile(join(root, "file"), "");
  await expect(openNas(join(root, "file")).check()).rejects.toMatchObject({ code: "nas_not_marked" });
});

test("check() refuses a marker that is torn, empty or of another version", async () => {
  const root = await tempFolder();
  await mkdir(join(root, hiddenFolder));
  for (const text of [
    "",
    "{",
    '{"version":1,"id":"x"',
    "null",
    '{"version":2,"id":"x","createdAt":"y"}',
    '{"version":1}',
  ]) {
    await writeFile(markerPath(root), text);
    await expect(openNas(root).check(), text).rejects.toMatchObject({ code: "nas_not_marked", message: /damaged/ });
  }
});

test("check() says that the NAS is unreachable when the marker cannot be read for another reason", async () => {
  const root = await tempFolder();
  await mkdir(markerPath(root), { recursive: true });
  await expect(openNas(root).check()).rejects.toMatchObject({ code: "nas_unreachable" });
});

test("initNas() marks an export once; again it changes nothing and gives the same id", async () => {
  const root = await tempFolder();
  const { id } = await initNas(root, testDisk());
  const bytes = await readFile(markerPath(root));
  expect(await initNas(root, testDisk())).toMatchObject({ id, created: false });
  expect(await readFile(markerPath(root))).toEqual(bytes);
  expect(await readdir(join(root, hiddenFolder))).toEqual(["export.json"]);
});

test("initNas() never makes the folder: that would hide a missing mount", async () => {
  const root = join(await tempFolder(), "not-mounted");
  await expect(initNas(root, testDisk())).rejects.toMatchObject({ code: "nas_not_marked" });
  expect(await readdir(dirname(root))).toEqual([]);
  await writeFile(root, "");
  await expect(initNas(root, testDisk())).rejects.toMatchObject({ code: "nas_not_marked" });
});

test("initNas() refuses a damaged marker rather than making another export of it", async () => {
  const root = await tempFolder();
  await initNas(root, testDisk());
  await writeFile(markerPath(root), "{");
  await expect(initNas(root, testDisk())).rejects.toMatchObject({ code: "nas_not_marked", message: /damaged/ });
  expect(await readFile(markerPath(root), "utf8")).toBe("{");
});

test("initNas() stopped dead at any change can be called again", async () => {
  const count = (await stepsOf(async (step) => initNas(await tempFolder(), testDisk(step)))).length;
  for (let at = 1; at <= count; at += 1) {
    const root = await tempFolder("memory");
    await stopDeadAt(at, async (step) => initNas(root, testDisk(step)));
    const { id } = await initNas(root, testDisk());
    expect((await openNas(root).check()).id).toBe(id);
  }
});

test("app() keeps what the system needs in the hidden folder, and the rest in the tree that a person browses", () => {
  const { hidden, app, ...folders } = openNas("/nas").app("factorio");
  expect(app).toBe("factorio");
  expect(hidden).toBe("/nas/.keepsake/factorio");
  const { folder, backups, history, pinned, ...others } = folders;
  expect({ folder, backups, history, pinned }).toEqual({
    folder: "/nas/factorio",
    backups: "/nas/factorio/backups",
    history: "/nas/factorio/backups/history",
    pinned: "/nas/factorio/backups/pinned",
  });
  for (const path of Object.values(others)) expect(path.startsWith(`${hidden}/`), path).toBe(true);
});

test("check() works wherever the export is mounted", async () => {
  const root = await tempFolder();
  const { id } = await initNas(root, testDisk());
  const elsewhere = `${root}-moved`;
  await rename(root, elsewhere);
  expect((await openNas(elsewhere).check()).id).toBe(id);
  await rename(elsewhere, root);
});

test("requireSpace() lets pass what fits, and refuses what does not before anything is filled", async () => {
  const root = await tempFolder();
  await requireSpace(root, 1, "write the backup");
  await expect(requireSpace(root, 2 ** 60, "write the backup")).rejects.toMatchObject({
    code: "no_space",
    message: expect.stringMatching(/Cannot write the backup: \d+ bytes.*are \d+/),
  });
});
