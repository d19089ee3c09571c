import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeGame, newGame } from "../../../deploy/local/lab/sdtd/make-game.ts";
import { makeWorld } from "../../../deploy/local/lab/sdtd/make-world.ts";
import { noise } from "./fill.ts";

export const played = { world: "West Wikibi Territory", game: "FoundationRWG" };

export interface World {
  readonly userData: string;
  readonly game: string;
  readonly world: string;
}

/**
 * A game of 7 Days to Die that somebody has walked through, 256 MB at scale 1: 2,000 region files whose chunks are
 * deflated already and fill sectors of 4 KB (205 MB), and a generated world of height maps that compress by half (51 MB).
 */
export async function makePlayedWorld(folder: string, scale: number): Promise<World> {
  const { userData, game, world } = worldIn(folder);
  const regions = Math.max(1, Math.round(2000 * scale));
  await makeGame(game, newGame(1), { regions, chunksPerRegion: 2, chunkBytes: 84_000, players: 8 });
  await makeWorld(world, 1, Math.max(64, Math.round(3570 * Math.sqrt(scale))));
  return { userData, game, world };
}

/** A small game with a great many small files beside its regions. */
export async function makeManyFiles(folder: string, count: number): Promise<World> {
  const { userData, game, world } = worldIn(folder);
  await makeGame(game, newGame(1));
  await makeWorld(world, 1, 64);
  const perFolder = 1000;
  for (let first = 0; first < count; first += perFolder) {
    const meshes = join(game, "DynamicMeshes", String(first / perFolder));
    await mkdir(meshes, { recursive: true });
    const numbers = Array.from({ length: Math.min(perFolder, count - first) }, (_, index) => first + index);
    await Promise.all(
      numbers.map((number) => writeFile(join(meshes, `${number}.mesh`), noise(`mesh ${number}`, 100 + (number % 400)))),
    );
  }
  return { userData, game, world };
}

const worldIn = (folder: string): World => ({
  userData: join(folder, "UserData"),
  game: join(folder, "UserData/Saves", played.world, played.game),
  world: join(folder, "UserData/GeneratedWorlds", played.world),
});
