import { existsSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { dayTicks, type GameState, gameVersion, readTtw } from "./main-ttw.ts";
import {
  chunksOf,
  type GameSize,
  makeGame,
  newGame,
  saveChunks,
  saveHeader,
  savePlayer,
  savePlayers,
  smallGame,
} from "./make-game.ts";
import { makeWorld } from "./make-world.ts";
import { type ChunkAt, readRegion } from "./region-file.ts";

export interface GameOptions {
  userData: string;
  /** Of the generated world; the real game makes one up from the seed. */
  world: string;
  game: string;
  size?: GameSize;
  /** Of a world and a game that are made because there are none. */
  seed?: number;
}

/**
 * The part of a dedicated server that a backup meets: how it loads a game, holds it in memory, writes it into its files
 * in place, and its console. Where there is no game it begins one, over a world that it generates when that is missing.
 */
export class Game {
  readonly options: GameOptions;
  readonly players: string[] = [];
  readonly said: string[] = [];
  readonly #folder: string;
  readonly #chunks: readonly ChunkAt[];
  readonly #dirty: ChunkAt[] = [];
  #state: GameState;
  #visited = 0;

  private constructor(options: GameOptions, folder: string, state: GameState) {
    this.options = options;
    this.#folder = folder;
    this.#state = state;
    this.#chunks = [...chunksOf(options.size ?? smallGame)];
  }

  static async load(options: GameOptions): Promise<Game> {
    const { userData, world, game, size = smallGame, seed = 1 } = options;
    const folder = join(userData, "Saves", world, game);
    const worldFolder = join(userData, "GeneratedWorlds", world);
    if (!existsSync(join(worldFolder, "main.ttw"))) await makeWorld(worldFolder, seed);
    if (!existsSync(join(folder, "main.ttw"))) {
      await makeGame(folder, newGame(seed, `${folder} ${process.hrtime.bigint()}`), size);
    }
    await mkdir(join(folder, "Region"), { recursive: true });
    for (const name of await readdir(join(folder, "Region"))) await readRegion(join(folder, "Region", name));
    return new Game(options, folder, readTtw(await readFile(join(folder, "main.ttw"))));
  }

  get state(): GameState {
    return this.#state;
  }

  /** Somebody walks about for so many minutes of the world: chunks change, in memory. */
  play(minutes: number): void {
    this.#state = {
      ...this.#state,
      worldTime: this.#state.worldTime + Math.round((minutes * dayTicks) / 1440),
      nextEntityId: this.#state.nextEntityId + 1,
    };
    for (let count = 0; count < 3; count++)
      this.#dirty.push(this.#chunks[this.#visited++ % this.#chunks.length] as ChunkAt);
  }

  /** The game writes chunks all the time, two at a time, whether or not it is told to save. */
  async saveSomeChunks(): Promise<void> {
    await this.#saveChunks(this.#dirty.splice(0, 2));
  }

  /** Everything that changed, in place: players, chunks, and the header, which is new each time. */
  async saveWorld(): Promise<void> {
    this.#state = { ...this.#state, ticks: this.#state.ticks + 1 };
    const played = this.#dirty.splice(0);
    if (played.length > 0) {
      const players = (this.options.size ?? smallGame).players;
      for (let player = 0; player < players; player++) await savePlayer(this.#folder, player, this.#state);
      await savePlayers(this.#folder, players, this.#state);
    }
    await this.#saveChunks(played);
    await saveHeader(this.#folder, this.#state);
  }

  async #saveChunks(chunks: readonly ChunkAt[]): Promise<void> {
    await saveChunks(this.#folder, this.#state, chunks, (this.options.size ?? smallGame).chunkBytes);
  }

  /** One line of the console; `play`, `join` and `leave` are the stand-in's own. @returns undefined when it has no such command. */
  async console(line: string): Promise<string[] | undefined> {
    const [command = "", ...words] = line.split(" ");
    const rest = words.join(" ").replace(/^"(.*)"$/, "$1");
    switch (command.toLowerCase()) {
      case "saveworld":
      case "sa":
        await this.saveWorld();
        return ["World saved"];
      case "listplayers":
      case "lp":
        return [...this.players.map(row), `Total of ${this.players.length} in the game`];
      case "gettime":
        return [timeOf(this.#state.worldTime)];
      case "version":
        return [`Game version: ${gameVersion} Compatibility Version: ${gameVersion.replace(/ \(.*/, "")}`];
      case "say":
        this.said.push(rest);
        return [];
      case "play":
        this.play(Number(rest || "60"));
        return [];
      case "join":
        this.players.push(rest);
        return [];
      case "leave":
        this.players.splice(this.players.indexOf(rest) >>> 0, 1);
        return [];
      default:
        return undefined;
    }
  }

  /** What the console greets with. */
  get banner(): string[] {
    const { world, game } = this.options;
    return bannerOf({ world, game });
  }
}

export const bannerOf = ({ world, game }: { world: string; game: string }) => [
  "*** Connected with 7DTD server.",
  `*** Server version: ${gameVersion} Compatibility Version: ${gameVersion.replace(/ \(.*/, "")}`,
  "*** Dedicated server only build",
  "",
  "Server IP:   Any",
  "Server port: 26900",
  "Max players: 8",
  "Game mode:   GameModeSurvival",
  `World:       ${world}`,
  `Game name:   ${game}`,
  "Difficulty:  1",
  "",
  "Press 'help' to get a list of all commands. Press 'exit' to end session.",
  "",
];

const row = (name: string, index: number) =>
  `${index}. id=${171 + index}, ${name}, pos=(12.5, 61.0, -8.3), rot=(0.0, 90.0, 0.0), remote=True, health=100, deaths=0, zombies=7, players=0, score=7, level=4, pltfmid=Steam_7656119800000000${index}, crossid=EOS_000${index}, ip=127.0.0.1, ping=12`;

export function timeOf(worldTime: number): string {
  const minute = Math.floor(((worldTime % dayTicks) * 1440) / dayTicks);
  const two = (value: number) => String(value).padStart(2, "0");
  return `Day ${Math.floor(worldTime / dayTicks) + 1}, ${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}
