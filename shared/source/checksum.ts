import { createHash } from "node:crypto";

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
  const hash = createHash("sha256");
  for (const { path, sizeBytes, sha256 } of [...entries].sort((a, b) =>
    a.path < b.path ? -1 : a.path > b.path ? 1 : 0,
  )) {
    // JSON quotes whatever a path may hold, so no two sets of files write the same line.
    hash.update(`${JSON.stringify([path, sizeBytes, sha256])}\n`);
  }
  return hash.digest("hex");
}
