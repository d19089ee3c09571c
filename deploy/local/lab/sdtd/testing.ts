import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { folderStage, played, testContext } from "../../../../functions/sdtd/testing.ts";
import { tempFolder } from "../../../../shared/testing.ts";
import { Game } from "./game.ts";
import type { GameSize } from "./make-game.ts";
import { serveTelnet } from "./telnet-server.ts";

/* What the tests of the app share that need a game. */

export const smallest: GameSize = { regions: 2, chunksPerRegion: 4, chunkBytes: 9000, players: 1 };

/** A game with its folders, and a stage to capture into. */
export async function lab(settings: Record<string, unknown> = {}, size: GameSize = smallest) {
  const root = await tempFolder();
  const [userData, staging] = [join(root, "UserData"), join(root, "staging")];
  await mkdir(staging);
  const game = await Game.load({ userData, ...played, size });
  await game.saveWorld();
  const context = testContext({ userData, ...settings }, join(root, "scratch"));
  const gameFolder = join(userData, "Saves", played.world, played.game);
  const worldFolder = join(userData, "GeneratedWorlds", played.world);
  return {
    root,
    userData,
    staging,
    game,
    gameFolder,
    worldFolder,
    ...context,
    stage: folderStage(context.ctx, staging),
  };
}

/** The game's console, which asks for a password. */
export async function withConsole(game: Game, password = "secret") {
  const server = await serveTelnet({ port: 0, password, banner: game.banner, run: (line) => game.console(line) });
  let open = true;
  const close = async () => {
    if (open) await server.close();
    open = false;
  };
  onTestFinished(close);
  return { port: server.port, close };
}
