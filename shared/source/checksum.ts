import { PackedLines } from "./packed-lines.ts";
import { TextHash } from "./text-hash.ts";

export interface ContentEntry {
  /** Relative, with "/" between its parts. */
  path: string;
  sizeBytes: number;
  /** Lower-case hex, of the content. */
  sha256: string;
}

/**
 * What a set of files is, whatever order they were found in, whatever container holds them, whenever they were
 * touched: sha256 over the sorted paths, sizes and hashes of the contents. Lower-case hex.
 */
export function contentChecksum(entries: Iterable<ContentEntry>): string {
  const contents = new Contents();
  for (const entry of entries) contents.add(entry);
  return contents.checksum();
}

/** Gathers the entries of very many files for their checksum. */
export class Contents {
  // JSON quotes whatever a path may hold, so no two sets of files write the same line.
  readonly #lines = new PackedLines();
  #last = "";
  #areInOrder = true;

  add({ path, sizeBytes, sha256 }: ContentEntry): void {
    this.#lines.add(JSON.stringify([path, sizeBytes, sha256]));
    this.#areInOrder &&= this.#last <= path;
    this.#last = path;
  }

  /** As `contentChecksum`. */
  checksum(): string {
    return this.#areInOrder ? this.#asTheyAre() : this.#sorted();
  }

  /** Of most folders: nothing has to be held but the lines. */
  #asTheyAre(): string {
    const hash = new TextHash();
    for (const line of this.#lines) hash.add(`${line}\n`);
    return hash.hex();
  }

  #sorted(): string {
    const paths = Array.from(this.#lines, (line) => (JSON.parse(line) as [string])[0]);
    const path = (index: number) => paths[index] as string;
    // As they were found they are nearly in order, so a line is near the one before it.
    const order = paths.map((_, index) => index).sort((a, b) => (path(a) < path(b) ? -1 : path(a) > path(b) ? 1 : 0));
    const hash = new TextHash();
    for (const index of order) hash.add(`${this.#lines.at(index)}\n`);
    return hash.hex();
  }
}
