import { createReadStream } from "node:fs";
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import type { RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { type Listing, type LookOptions, listSettled, movedBetween } from "./listing.ts";

const passes = 10;

export interface FrozenFile {
  /** Below the folder, and where the copy is. */
  readonly path: string;
  readonly copy: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly mode: number;
}

/**
 * Copies of the files that a game keeps writing to, in a folder of this machine, all of one moment. Only files that
 * moved once are copied, so nothing is where nobody plays.
 */
export class Frozen {
  readonly #ctx: RunContext;
  readonly #folder: string;
  readonly #kind: string;
  readonly #moving = new Set<string>();
  readonly #look: LookOptions;
  readonly #copies = new Map<string, FrozenFile>();
  #count = 0;

  constructor(ctx: RunContext, folder: string, kind: string, look: LookOptions) {
    this.#ctx = ctx;
    this.#look = look;
    this.#folder = folder;
    this.#kind = kind;
  }

  /**
   * Takes a copy of what has ever moved, until nothing of it moves while it is copied.
   * @param listing Of a moment ago.
   * @param moved Files that moved since the last call.
   * @returns The listing that the copies, and everything else now, are of.
   * @throws {Failure} `source_changing`.
   */
  async hold(listing: Listing, moved: readonly string[]): Promise<Listing> {
    for (const path of moved) this.#moving.add(path);
    await this.#drop([...this.#copies.keys()]);
    if (this.#moving.size === 0) return listing;
    let before = listing;
    let wanted = [...this.#moving];
    for (let pass = 1; pass <= passes; pass++) {
      for (const path of wanted) await this.#copy(path);
      const after = await listSettled(this.#folder, this.#look);
      const since = movedBetween(before, after);
      if (since.length === 0) return after;
      for (const path of since) this.#moving.add(path);
      wanted = since;
      await this.#drop(since);
      before = after;
    }
    throw new Failure(
      "source_changing",
      `Cannot copy "${this.#folder}": a moment without a write is wanted, "${wanted[0]}" and others kept changing`,
      { hint: "Something writes there all the time. The next run tries again." },
    );
  }

  /** Whether there is a copy; otherwise a file is read from where it belongs. */
  has(path: string): boolean {
    return this.#copies.has(path);
  }

  get copies(): Iterable<FrozenFile> {
    return this.#copies.values();
  }

  /** Those of which there is no copy: the others may go on moving. */
  without(moved: readonly string[]): string[] {
    return moved.filter((path) => !this.#copies.has(path));
  }

  async #copy(path: string): Promise<void> {
    this.#count += 1;
    const from = join(this.#folder, path);
    const copy = join(await this.#ctx.scratch(), `${this.#kind}-${this.#count}`);
    const { disk, signal } = this.#ctx;
    try {
      const found = await lstat(from);
      // A folder that is new, or what the next listing refuses.
      if (!found.isFile()) return;
      const { sizeBytes } = await disk.write(copy, createReadStream(from), { signal, sync: false });
      this.#copies.set(path, { path, copy, sizeBytes, mtimeMs: Math.floor(found.mtimeMs), mode: found.mode & 0o777 });
    } catch (error) {
      // Gone: the next listing tells.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }

  async #drop(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      const copy = this.#copies.get(path);
      if (copy) await this.#ctx.disk.remove(copy.copy);
      this.#copies.delete(path);
    }
  }
}
