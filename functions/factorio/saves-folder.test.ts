import { mkdir, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isCompleteSave, listSaves, newestSave } from "./saves-folder.ts";
import { tempFolder } from "./testing.ts";

async function folderOf(files: Record<string, number>): Promise<string> {
  const folder = await tempFolder();
  for (const [name, seconds] of Object.entries(files)) {
    await writeFile(join(folder, name), name);
    await utimes(join(folder, name), seconds, seconds);
  }
  return folder;
}

test("newestSave() takes the newest zip by its time, whatever its name", async () => {
  const folder = await folderOf({ "homelab.zip": 100, "_autosave1.zip": 300, "_autosave2.zip": 200 });
  expect(await newestSave(folder)).toMatchObject({ name: "_autosave1.zip", savedAtMs: 300_000, sizeBytes: 14 });
});

test("newestSave() never takes a save that is half written (factorio-docker#68)", async () => {
  const folder = await folderOf({ "homelab.zip": 100, "_autosave2.tmp.zip": 900, "_autosave3.TMP.ZIP": 901 });
  expect((await newestSave(folder)).name).toBe("homelab.zip");
});

test("newestSave() leaves out hidden files, folders, and what is no zip", async () => {
  const folder = await folderOf({
    "homelab.zip": 100,
    "._homelab.zip": 900,
    ".keepsake.zip": 900,
    "homelab.zip.bak": 900,
  });
  await mkdir(join(folder, "folder.zip"));
  await mkdir(join(folder, ".keepsake"));
  await writeFile(join(folder, ".keepsake", "newer.zip"), "x");
  await symlink("/nowhere", join(folder, "dangling.zip"));
  expect((await listSaves(folder)).map(({ name }) => name)).toEqual(["homelab.zip"]);
});

test("newestSave() says that the folder is missing", async () => {
  const folder = join(await tempFolder(), "saves");
  await expect(newestSave(folder)).rejects.toMatchObject({
    code: "source_missing",
    message: expect.stringContaining(folder),
  });
});

test("newestSave() says that there is no save, also when one is half written", async () => {
  await expect(newestSave(await folderOf({ "_autosave1.tmp.zip": 1, "mod-list.json": 2 }))).rejects.toMatchObject({
    code: "source_empty",
  });
});

test("listSaves() orders saves of one moment by name", async () => {
  const folder = await folderOf({ "b.zip": 5, "a.zip": 5, "c.zip": 6 });
  expect((await listSaves(folder)).map(({ name }) => name)).toEqual(["c.zip", "a.zip", "b.zip"]);
});

test("isCompleteSave() knows the game's names", () => {
  expect(["homelab.zip", "_autosave10.zip", "My World.ZIP"].every(isCompleteSave)).toBe(true);
  expect(["x.tmp.zip", ".x.zip", "x.dat", "zip"].some(isCompleteSave)).toBe(false);
});
