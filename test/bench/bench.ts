import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { quoted, run, shell } from "./command.ts";
import type { Pair } from "./statistics.ts";
import type { Row } from "./table.ts";

/** One thing that is measured, with data of its own. */
export interface Work {
  readonly name: string;
  /** Free disk that it takes at most, in bytes, at scale 1. */
  readonly diskBytes: number;
  measure(bench: Bench): Promise<void>;
}

/** What the works are given, and tell. */
export class Bench {
  readonly rows: Row[] = [];
  /** Lines for the section on what the runs really do. */
  readonly proofs: string[] = [];
  /** The most memory that runners held, by what they did. */
  readonly peaks = new Map<string, number>();
  readonly rounds: number;
  readonly scale: number;
  readonly #folder: string;
  readonly #say: (line: string) => void;

  constructor(options: { folder: string; rounds: number; scale: number; say: (line: string) => void }) {
    this.rounds = options.rounds;
    this.scale = options.scale;
    this.#folder = options.folder;
    this.#say = options.say;
  }

  /** Rounds of what takes a minute and more. */
  get fewRounds(): number {
    return Math.min(3, this.rounds);
  }

  say(line: string): void {
    this.#say(line);
  }

  /** A whole number of things, of so many at scale 1. */
  count(whole: number): number {
    return Math.max(1, Math.round(whole * this.scale));
  }

  /** A new folder, all on one file system; gone after `use`. */
  async folder<T>(name: string, use: (folder: string) => Promise<T>): Promise<T> {
    const folder = join(this.#folder, name);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    try {
      return await use(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /**
   * Both sides in turn, so many rounds, each time the other one first; before each, what earlier ones have written is
   * on the disk.
   */
  async pairs(rounds: number, ours: () => Promise<number>, peer: () => Promise<number>): Promise<Pair[]> {
    const pairs: Pair[] = [];
    for (let round = 0; round < rounds; round++) {
      const measured = { ours: 0, peer: 0 };
      const sides = round % 2 === 0 ? (["ours", "peer"] as const) : (["peer", "ours"] as const);
      for (const side of sides) {
        await this.settle();
        measured[side] = await (side === "ours" ? ours() : peer());
      }
      this.say(`  ${measured.ours.toFixed(3)} s to ${measured.peer.toFixed(3)} s`);
      pairs.push(measured);
    }
    return pairs;
  }

  /** The data in the page cache, as it is where it was just written or read: the same for both sides. */
  async warm(folder: string): Promise<void> {
    await run("sh", ["-c", 'find "$1" -type f -exec cat {} + >/dev/null', "sh", folder]);
  }

  /** What a line takes, in seconds, that makes a folder which is not there. */
  async making(folder: string, line: string): Promise<number> {
    await shell(`rm -rf ${quoted(folder)}`);
    await this.settle();
    return (await shell(line)).seconds;
  }

  async settle(): Promise<void> {
    await run("sync", ["-f", this.#folder]);
  }

  peak(what: string, bytes: number): void {
    this.peaks.set(what, Math.max(bytes, this.peaks.get(what) ?? 0));
  }
}
