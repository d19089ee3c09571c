import { appendFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder, writeTree } from "../../shared/testing.ts";
import { type LookOptions, listSettled, lookAt, movedBetween, movedSince } from "./listing.ts";
import { countsAsChange, isRegion, isTransient } from "./members.ts";

const options: LookOptions = { counts: countsAsChange, signal: new AbortController().signal };

async function laid() {
  const folder = await tempFolder();
  await writeTree(folder, { "main.ttw": "head", "Region/r.0.0.7rg": "land", "Player/a.ttp": "a", "half.tmp": "x" });
  return folder;
}

test("lookAt() tells size, regions and times, without what is about to be renamed", async () => {
  const folder = await laid();
  const { mtimeMs } = await stat(join(folder, "Player/a.ttp"));
  expect(await lookAt(folder, options)).toMatchObject({ sizeBytes: 9, regions: 1, changedAtMs: Math.floor(mtimeMs) });
});

test("lookAt() gives the same fingerprint when the header, a copy or half a file is new, and another one for a player", async () => {
  const folder = await laid();
  const { fingerprint } = await lookAt(folder, options);
  for (const name of ["main.ttw", "main.ttw.bak", "Player/a.ttp.bak", "Player/a.ttp.meta", "Player/a.ttp.tmp"]) {
    await writeFile(join(folder, name), "new");
  }
  expect((await lookAt(folder, options)).fingerprint).toBe(fingerprint);
  await writeFile(join(folder, "Player/a.ttp"), "b");
  expect((await lookAt(folder, options)).fingerprint).not.toBe(fingerprint);
});

test("listSettled() waits until the last write is so old that a later one shows", async () => {
  const folder = await laid();
  for (let round = 0; round < 5; round++) {
    const path = join(folder, "main.ttw");
    await writeFile(path, "a");
    const listing = await listSettled(folder, options);
    expect(Date.now() - (await stat(path)).ctimeMs).toBeGreaterThan(20);
    // The same size, at once.
    await writeFile(path, "b");
    expect(await movedSince(folder, listing, options)).toEqual(["main.ttw"]);
  }
});

test("movedSince() and movedBetween() name what was written, made, moved and removed", async () => {
  const folder = await laid();
  const before = await listSettled(folder, options);
  expect(await movedSince(folder, before, options)).toEqual([]);
  await appendFile(join(folder, "Region/r.0.0.7rg"), "!");
  await rename(join(folder, "Player/a.ttp"), join(folder, "Player/b.ttp"));
  await rm(join(folder, "main.ttw"));
  const moved = ["Player/a.ttp", "Player/b.ttp", "Region/r.0.0.7rg", "main.ttw"];
  expect((await movedSince(folder, before, options)).sort()).toEqual(moved);
  expect(movedBetween(before, await listSettled(folder, options)).sort()).toEqual(moved);
});

test("lookAt() refuses a link, and says that there is no such folder", async () => {
  const folder = await laid();
  await symlink("main.ttw", join(folder, "link"));
  await expect(lookAt(folder, options)).rejects.toMatchObject({ code: "source_invalid" });
  await expect(lookAt(join(folder, "gone"), options)).rejects.toMatchObject({ code: "source_missing" });
});

test("countsAsChange(), isRegion() and isTransient() go by the game's names, whatever their case", () => {
  const counting = [
    "Region/r.0.0.7rg",
    "player/EOS_1.ttp",
    "players.xml",
    "power.dat",
    "decoration.7dt",
    "a.nim",
    "new",
  ];
  for (const path of counting) expect(countsAsChange(path), path).toBe(true);
  const others = ["main.ttw", "MAIN.TTW", "main.ttw.bak", "main.ttw.ext.bak", "power.dat.bak", "Player/x.ttp.meta"];
  for (const path of [...others, "main.ttw.loadFailed", "Player/x.ttp.tmp"])
    expect(countsAsChange(path), path).toBe(false);
  expect(["Region/r.-1.0.7rg", "region/R.0.0.7RR", "Region/notes.txt", "r.0.0.7rg"].map(isRegion)).toEqual(
    [true, true, false, false], //
  );
  expect(["a.tmp", "Player/a.TTP.TMP", "a.ttp"].map(isTransient)).toEqual([true, true, false]);
});
