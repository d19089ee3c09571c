import { randomInt } from "node:crypto";
import { mkdir, readdir, rename, stat, unlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { inflateSync } from "node:zlib";
import { openPromise } from "yauzl";
import { type GameState, gameVersion, parseHeader, writeSave } from "./make-save.ts";

export interface GameOptions {
  /** The folder of saves. */
  folder: string;
  autosaveSlots: number;
  /** Of a map that is made because there is none. */
  levelBytes: number;
  /** How much longer than needed a save takes: the time between `.tmp.zip` and its final name. */
  saveMs: number;
}

/** An answer, and what keeps the server busy afterwards: while it saves it answers nobody. */
export interface Answer {
  text: string;
  after?: () => Promise<void>;
}

/**
 * The part of a Factorio server that a backup meets: how it chooses, loads, saves and rotates saves, and its console.
 * It starts as the image's entrypoint does: removes `*.tmp.zip`, loads the latest save, also from folders below, and
 * makes a new map when there is none.
 */
export class Game {
  readonly #options: GameOptions;
  #state: GameState;
  #name: string;
  #slot = 0;
  #changed = true;

  private constructor(options: GameOptions, state: GameState, name: string) {
    this.#options = options;
    this.#state = state;
    this.#name = name;
  }

  static async load(options: GameOptions): Promise<Game> {
    await mkdir(options.folder, { recursive: true });
    const zips = await findZips(options.folder);
    for (const path of zips.filter((path) => path.endsWith(".tmp.zip"))) await unlink(path);
    const [latest] = zips.filter((path) => !path.endsWith(".tmp.zip"));
    if (latest) return new Game(options, await readState(latest), basename(latest, ".zip"));
    const state = { seed: randomInt(2 ** 32), tick: 0, saves: 0, levelBytes: options.levelBytes };
    const game = new Game(options, state, "_autosave1");
    await game.save();
    return game;
  }

  get state(): GameState {
    return this.#state;
  }

  /** `<name>.tmp.zip`, then renamed. */
  async save(name = this.#name): Promise<void> {
    if (this.#changed) this.#state = { ...this.#state, saves: this.#state.saves + 1 };
    this.#changed = false;
    const unfinished = join(this.#options.folder, `${name}.tmp.zip`);
    await writeSave(unfinished, name, this.#state);
    if (this.#options.saveMs > 0) await delay(this.#options.saveMs);
    await rename(unfinished, join(this.#options.folder, `${name}.zip`));
  }

  /** Somebody plays: the clock moves, and the next slot is written. */
  async play(ticks: number): Promise<void> {
    this.#state = { ...this.#state, tick: this.#state.tick + ticks };
    this.#changed = true;
    this.#slot = (this.#slot % this.#options.autosaveSlots) + 1;
    await this.save(`_autosave${this.#slot}`);
  }

  /** One line of the console. `/play` is the stand-in's own; a line without "/" is said in the chat. */
  console(line: string): Answer {
    const [command, argument] = line.split(" ");
    switch (command) {
      case "/version":
        return { text: gameVersion.slice(0, 3).join(".") };
      case "/seed":
        return { text: String(this.#state.seed) };
      case "/time":
        return { text: `${Math.floor(this.#state.tick / 60)} seconds` };
      case "/players":
        return { text: "Online players (0):" };
      case "/server-save":
        return { text: "Saving the map...", after: () => this.save(argument) };
      case "/play":
        return { text: "", after: () => this.play(Number(argument ?? 3600)) };
      default:
        return { text: line.startsWith("/") ? `Unknown command "${command?.slice(1)}".` : "" };
    }
  }
}

/** Newest first. */
async function findZips(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && /\.zip$/i.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  const times = await Promise.all(
    paths.map(async (path) => ({ path, at: (await stat(path, { bigint: true })).mtimeNs })),
  );
  return times.sort((a, b) => Number(b.at - a.at)).map(({ path }) => path);
}

/** Loads a save as far as a stand-in has to: a broken one is an error, as it is to the game. */
export async function readState(path: string): Promise<GameState> {
  const zip = await openPromise(path, {});
  for await (const entry of zip.eachEntry()) {
    if (!entry.fileName.endsWith("/level.dat0")) continue;
    const pieces: Buffer[] = [];
    for await (const piece of await zip.openReadStreamPromise(entry)) pieces.push(piece as Buffer);
    return parseHeader(inflateSync(Buffer.concat(pieces)));
  }
  throw new Error(`Cannot load the map "${path}": it has no level.dat0`);
}
