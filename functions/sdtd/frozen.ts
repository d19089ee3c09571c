import { createReadStream } from "node:fs";
import { join } from "node:path";
import type { RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { type Listing, listSettled, movedBetween } from "./listing.ts";

const passes = 10;

/**
 * Copies of the files that a game keeps writing to, in a folder of this machine, all of one moment. Only files that
 * moved once are copied, so nothing is where nobody plays.
 */
export class Frozen {
  readonly #ctx: RunContext;
  readonly #folder: string;
  readonly #kind: string;
  readonly #moving = new Set<string>();
  #copies = new Map<string, string>();
  #count = 0;

  constructor(ctx: RunContext, folder: string, kind: string) {
    this.#ctx = ctx;
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
      for (const path of wanted) await this.#copy(before, path);
      const after = await listSettled(this.#folder, this.#ctx.signal);
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

  /** Where the copy of a file is; undefined when it is read from where it belongs. */
  pathOf(path: string): string | undefined {
    return this.#copies.get(path);
  }

  /** Those of which there is no copy: the others may go on moving. */
  without(moved: readonly string[]): string[] {
    return moved.filter((path) => !this.#copies.has(path));
  }

  async #copy(listing: Listing, path: string): Promise<void> {
    const listed = listing.get(path);
    if (listed?.type !== "file") return;
    this.#count += 1;
    const to = join(await this.#ctx.scratch(), `${this.#kind}-${this.#count}`);
    const { disk, signal } = this.#ctx;
    try {
      await disk.write(to, createReadStream(join(this.#folder, path)), { signal, sync: false });
      this.#copies.set(path, to);
    } catch (error) {
      // Gone: the next listing tells.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }

  async #drop(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      const copy = this.#copies.get(path);
      if (copy !== undefined) await this.#ctx.disk.remove(copy);
      this.#copies.delete(path);
    }
  }
}
