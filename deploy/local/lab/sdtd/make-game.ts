import { createHash } from "node:crypto";
import { copyFile, mkdir, open, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { netString, noise } from "./bytes.ts";
import { dayTicks, type GameState, writeTtw } from "./main-ttw.ts";
import { type ChunkAt, chunkBytes, RegionFile, regionOf } from "./region-file.ts";

export interface GameSize {
  readonly regions: number;
  readonly chunksPerRegion: number;
  /** Of a chunk, before compression; at most 1 MB. */
  readonly chunkBytes: number;
  readonly players: number;
}

export const smallGame: GameSize = { regions: 4, chunksPerRegion: 20, chunkBytes: 12_000, players: 2 };

/** The size of a game whose regions take about so many bytes. */
export function gameOf(sizeBytes: number): GameSize {
  // Half of a chunk does not compress; it fills its sectors.
  const [chunkBytes, chunksPerRegion, storedBytes] = [120_000, 400, 61_440];
  const regions = Math.max(1, Math.round(sizeBytes / (chunksPerRegion * storedBytes)));
  return { regions, chunksPerRegion, chunkBytes, players: 8 };
}

/** Where the chunks of a game lie: region by region, on both sides of zero. */
export function* chunksOf({ regions, chunksPerRegion }: GameSize): Generator<ChunkAt> {
  const wide = Math.ceil(Math.sqrt(regions));
  for (let region = 0; region < regions; region++) {
    const [rx, rz] = [(region % wide) - (wide >> 1), Math.floor(region / wide) - (wide >> 1)];
    for (let chunk = 0; chunk < chunksPerRegion; chunk++) {
      yield { x: rx * 32 + (chunk % 32), z: rz * 32 + Math.floor(chunk / 32) };
    }
  }
}

export const guidOf = (key: string) => createHash("md5").update(`guid ${key}`).digest("hex").toUpperCase();

/** A game that was just begun. */
export const newGame = (seed: number, key = `game ${seed}`): GameState => ({
  guid: guidOf(key),
  seed,
  worldTime: 7000,
  ticks: 0,
  nextEntityId: 171,
});

/** Lays out a game as a server leaves it that was stopped. The same arguments give the same bytes. */
export async function makeGame(folder: string, state: GameState, size: GameSize = smallGame): Promise<void> {
  await mkdir(join(folder, "Region"), { recursive: true });
  await mkdir(join(folder, "Player"), { recursive: true });
  await saveChunks(folder, state, chunksOf(size), size.chunkBytes);
  for (let player = 0; player < size.players; player++) await savePlayer(folder, player, state);
  await savePlayers(folder, size.players, state);
  await writeFile(join(folder, "decoration.7dt"), noise(`decoration ${state.seed}`, 77_054));
  await writeFile(join(folder, "multiblocks.7dt"), noise(`multiblocks ${state.seed}`, 900));
  for (const name of ["power.dat", "vehicles.dat", "drones.dat", "turrets.dat"]) {
    await writeFile(join(folder, name), Buffer.concat([Buffer.of(3), netString(name)]));
  }
  for (const name of ["blockmappings.nim", "itemmappings.nim"]) {
    await writeFile(join(folder, name), noise(`${name} of this version`, 30_000));
  }
  await writeFile(join(folder, "gameOptions.sdf"), noise(`options ${state.seed}`, 700));
  await saveHeader(folder, state);
}

/** The chunks, each in place, in the order in which they come; one region file is open at a time. */
export async function saveChunks(
  folder: string,
  { seed, worldTime }: GameState,
  chunks: Iterable<ChunkAt>,
  sizeBytes: number,
): Promise<void> {
  let open: { name: string; file: RegionFile } | undefined;
  for (const at of chunks) {
    const name = regionOf(at);
    if (open?.name !== name) {
      await open?.file.close();
      open = { name, file: await RegionFile.open(join(folder, "Region"), name) };
    }
    await open.file.write(at, chunkBytes(at, seed, worldTime, sizeBytes), Math.floor((worldTime / dayTicks) * 1440));
  }
  await open?.file.close();
}

const platformId = (player: number) => `EOS_${guidOf(`player ${player}`).toLowerCase()}`;

/** Written beside the old one, which stays as .bak, and put in its place. */
export async function savePlayer(folder: string, player: number, { seed, worldTime }: GameState): Promise<void> {
  const path = join(folder, "Player", `${platformId(player)}.ttp`);
  await copyFile(path, `${path}.bak`).catch(() => {});
  const body = noise(`player ${player} ${seed} ${worldTime}`, 6000);
  await writeFile(`${path}.tmp`, Buffer.concat([Buffer.from("ttp\0"), Buffer.of(59), body]));
  await rename(`${path}.tmp`, path);
  const level = Math.floor(worldTime / dayTicks);
  await writeFile(`${path}.meta`, `<PlayerMetaInfo nativeid="${platformId(player)}" level="${level}" />\n`);
}

export async function savePlayers(folder: string, players: number, { worldTime }: GameState): Promise<void> {
  const rows = Array.from(
    { length: players },
    (_, player) => `  <player id="${platformId(player)}" playername="Player ${player}" lastlogin="${worldTime}" />\n`,
  );
  const xml = `<?xml version="1.0" encoding="utf-8"?>\n<persistentplayerdata>\n${rows.join("")}</persistentplayerdata>`;
  await writeFile(join(folder, "players.xml"), xml);
}

/** The old one copied to .bak, then written in place: for a moment there is less than all of it. */
export async function saveHeader(folder: string, state: GameState): Promise<void> {
  const path = join(folder, "main.ttw");
  await copyFile(path, `${path}.bak`).catch(() => {});
  const bytes = writeTtw(state);
  const handle = await open(path, "w");
  await handle.write(bytes, 0, bytes.length >> 1, 0);
  await handle.write(bytes, bytes.length >> 1, bytes.length - (bytes.length >> 1), bytes.length >> 1);
  await handle.close();
}
