import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, open, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeWorld } from "../../deploy/local/lab/sdtd/make-world.ts";
import { layLab, places, play, played } from "../worlds/sdtd.ts";
import { backUp, drill, expectRejected, foldersOf, manifests, plant, untouched } from "./drilling.ts";

const exec = promisify(execFile);
let lab: { folder: string; app: string };
beforeEach(async () => {
  lab = { folder: await mkdtemp(join(tmpdir(), "keepsake-drill-")), app: "sdtd" };
  await layLab(lab.folder);
  await play(lab.folder);
  await backUp(lab);
});
afterEach(() => rm(lab.folder, { recursive: true, force: true }));

/** Unpacks an archive, changes what is in it, and packs it again as `tar` does. */
const repacked = (change: (folder: string) => Promise<unknown>) => async (path: string) => {
  const folder = join(lab.folder, "repacked");
  await mkdir(folder);
  await exec("tar", ["xzf", path, "-C", folder]);
  const [root] = await readdir(folder);
  await change(join(folder, root as string));
  await exec("tar", ["czf", path, "-C", folder, root as string]);
};

test("a drill proves game and world together, by every file, and touches nothing of production", async () => {
  expect(await untouched(lab, [places(lab.folder).userData], () => drill(lab))).toMatchObject({
    outcome: "proven",
    drill: {
      compared: expect.arrayContaining([
        "regions", "chunks", "players", "world",
        expect.stringMatching(/^game "FoundationRWG" in "West Wikibi Territory" \(\w{8}, \w{8}\)$/),
      ]), // biome-ignore format: one line reads better
    },
  });
});

test("a game with one torn region is rejected, though its sums are right", async () => {
  const tear = async (folder: string) => {
    const [region] = await readdir(join(folder, "Region"));
    const file = await open(join(folder, "Region", region as string), "r+");
    await file.write(Buffer.alloc(64, 7), 0, 64, 3 * 4096);
    await file.close();
  };
  await plant(lab, "save", repacked(tear));
  await expectRejected(lab, /7dtd-West Wikibi Territory-\d+-\d+\.tar\.gz/, /Region\/r\.-?\d+\.-?\d+\.7rg: /);
});

test("an older game in the place of the newest is rejected, though its sums are right", async () => {
  await play(lab.folder, 5000);
  await backUp(lab);
  const [older] = await manifests(lab);
  const from = join(foldersOf(lab).history, older?.files[0]?.name as string);
  await plant(lab, "save", (path) => copyFile(from, path));
  await expectRejected(lab, /was recorded when it was taken/);
});

test("the world of another game is rejected, though its sums are right", async () => {
  const other = async (folder: string) => {
    await rm(folder, { recursive: true });
    await makeWorld(folder, 99);
  };
  await plant(lab, "world", repacked(other));
  await expectRejected(lab, /was recorded when it was taken/, new RegExp(`${played.world}.*-world\\.tar\\.gz`));
});

test("an empty archive is rejected", async () => {
  await plant(lab, "save", (path) => writeFile(path, ""));
  await expectRejected(lab, /7dtd-.*\.tar\.gz/);
});
