import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Game } from "../../deploy/local/lab/sdtd/game.ts";
import type { GameSize } from "../../deploy/local/lab/sdtd/make-game.ts";
import { Disk } from "../../shared/disk.ts";
import { initNas } from "../../shared/nas/nas.ts";
import { createStep } from "../../shared/step.ts";
import { programPath } from "../programs.ts";

export const sdtdServer = programPath("deploy/local/lab/sdtd/server.ts");

export const played = { world: "West Wikibi Territory", game: "FoundationRWG" };
export const smallest: GameSize = { regions: 2, chunksPerRegion: 4, chunkBytes: 9000, players: 1 };

/** A home lab with 7 Days to Die in one folder: where things are. */
export const places = (folder: string) => ({
  nas: join(folder, "nas"),
  userData: join(folder, "UserData"),
  gameFolder: join(folder, "UserData/Saves", played.world, played.game),
  worldFolder: join(folder, "UserData/GeneratedWorlds", played.world),
  state: join(folder, "state"),
  config: join(folder, "keepsake.yaml"),
  backups: join(folder, "nas/sdtd/backups"),
});

/** Marks the NAS and writes the settings; they hold absolute paths, so each copy of a lab gets its own. */
export async function layLab(folder: string, settings: Record<string, unknown> = {}): Promise<void> {
  const { nas } = places(folder);
  await mkdir(nas, { recursive: true });
  await initNas(nas, new Disk(createStep()));
  await configure(folder, settings);
}

/** How the server is called: its verb, then what it plays. */
export const serverArgs = (folder: string, verb: string, port = 0): string[] => [
  ...[sdtdServer, verb, "--user-data", places(folder).userData],
  ...["--world", played.world, "--game", played.game, "--port", String(port)],
];

export async function configure(folder: string, settings: Record<string, unknown> = {}): Promise<void> {
  const { userData, config } = places(folder);
  const quoted = (verb: string) => [process.execPath, ...serverArgs(folder, verb)].map((word) => `'${word}'`).join(" ");
  // No node process for a look: it is asked for again and again.
  const pid = `$(sed -n 's/.*"pid":\\([0-9]*\\).*/\\1/p' ${join(folder, "server/server.json")})`;
  const workload = { stop: quoted("stop"), start: quoted("start"), status: `kill -0 "${pid}"`, timeoutSeconds: 20 };
  const sdtd = { userData, keep: 2, workload, ...settings };
  await writeFile(config, JSON.stringify({ nas: "./nas", state: "./state", nasTimeoutSeconds: 1, apps: { sdtd } }));
}

/** Somebody plays for so many minutes of the world, and the server saves. The first call begins the game. */
export async function play(
  folder: string,
  minutes = 60,
  { size = smallest, seed = 1 }: { size?: GameSize; seed?: number } = {},
): Promise<Game> {
  const game = await Game.load({ userData: places(folder).userData, ...played, size, seed });
  game.play(minutes);
  await game.saveWorld();
  return game;
}

/** A rebuilt cluster's server begins a new game, over the same world or one that it generates again. */
export async function beginAnew(folder: string, { world = false }: { world?: boolean } = {}): Promise<void> {
  const { gameFolder, worldFolder } = places(folder);
  await rm(gameFolder, { recursive: true });
  if (world) await rm(worldFolder, { recursive: true });
  await play(folder, 60, { seed: 2 });
}
