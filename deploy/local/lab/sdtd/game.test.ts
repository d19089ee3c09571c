import { appendFile, mkdir, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RegionCheck } from "../../../../functions/sdtd/region.ts";
import { readTree, tempFolder } from "../../../../shared/testing.ts";
import { Game } from "./game.ts";
import { readTtw, writeTtw } from "./main-ttw.ts";
import { gameOf, makeGame, newGame, smallGame } from "./make-game.ts";
import { makeWorld } from "./make-world.ts";
import { readRegion } from "./region-file.ts";

const options = async () => ({ userData: await tempFolder(), world: "West Wikibi Territory", game: "FoundationRWG" });
const folderOf = ({ userData, world, game }: Awaited<ReturnType<typeof options>>) =>
  join(userData, "Saves", world, game);

async function sizeOf(folder: string): Promise<number> {
  const sizes = (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

test("makeGame() and makeWorld() give the same bytes each time, and others for another seed", async () => {
  const [a, b, c] = [await tempFolder(), await tempFolder(), await tempFolder()];
  for (const [folder, seed] of [
    [a, 1],
    [b, 1],
    [c, 2],
  ] as const) {
    await makeGame(join(folder, "game"), newGame(seed));
    await makeWorld(join(folder, "world"), seed, 64);
  }
  expect(await readTree(a)).toEqual(await readTree(b));
  expect(await readTree(c)).not.toEqual(await readTree(a));
});

test("gameOf() gives a game of about that size", async () => {
  const folder = await tempFolder();
  await makeGame(folder, newGame(1), gameOf(8e6));
  const size = await sizeOf(join(folder, "Region"));
  expect(size).toBeGreaterThan(6e6);
  expect(size).toBeLessThan(30e6);
});

test("Game writes its files in place, chunks before the table, and the header anew each time", async () => {
  const given = await options();
  const game = await Game.load(given);
  const region = join(folderOf(given), "Region", (await readdir(join(folderOf(given), "Region")))[0] as string);
  const before = await stat(region);
  const times = await readRegion(region);
  game.play(300);
  expect(await readRegion(region)).toEqual(times);
  await game.saveWorld();
  expect((await stat(region)).ino).toBe(before.ino);
  expect((await readRegion(region)).filter(({ time }) => time === game.state.worldTime)).toHaveLength(3);
  const header = await readFile(join(folderOf(given), "main.ttw"));
  await game.saveWorld();
  expect((await readFile(join(folderOf(given), "main.ttw"))).equals(header)).toBe(false);
  expect(readTtw(header).guid).toBe(game.state.guid);
});

test("Game goes on with what is on disk, and begins a new game where there is none", async () => {
  const given = await options();
  const first = await Game.load(given);
  first.play(60);
  await first.saveWorld();
  expect((await Game.load(given)).state).toEqual(first.state);
  await rm(join(given.userData, "Saves"), { recursive: true });
  const fresh = await Game.load(given);
  expect(fresh.state.guid).not.toBe(first.state.guid);
  expect(fresh.state.worldTime).toBe(7000);
});

test("Game does not load what is broken", async () => {
  const given = await options();
  await Game.load(given);
  const region = join(folderOf(given), "Region", (await readdir(join(folderOf(given), "Region")))[0] as string);
  const file = await open(region, "r+");
  await file.write("XXX", 0);
  await file.close();
  await expect(Game.load(given)).rejects.toThrow("Incorrect region file header!");
});

test("a region stays sound however often chunks outgrow their place", async () => {
  const given = await options();
  const game = await Game.load({ ...given, size: { ...smallGame, regions: 1 } });
  for (let day = 0; day < 12; day++) {
    game.play(1440);
    await game.saveSomeChunks();
    await game.saveWorld();
  }
  const folder = join(folderOf(given), "Region");
  for (const name of await readdir(folder)) {
    const check = new RegionCheck();
    check.update(await readFile(join(folder, name)));
    expect(check.end()).toBeUndefined();
  }
});

test("readTtw() wants all of a header", async () => {
  const bytes = writeTtw(newGame(3));
  expect(readTtw(bytes)).toEqual(newGame(3));
  expect(() => readTtw(bytes.subarray(0, bytes.length - 3))).toThrow();
  const folder = await tempFolder();
  await mkdir(join(folder, "x"));
  await appendFile(join(folder, "x/main.ttw"), "no");
  expect(() => readTtw(Buffer.from("no"))).toThrow("Invalid magic bytes");
});
