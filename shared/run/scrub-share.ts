import type { ScrubEntry, ScrubMemory } from "./scrub-state.ts";

const dayMs = 86_400_000;

export interface Share<File> {
  /** Whose turn it is, in order. */
  readonly files: readonly File[];
  /** Bytes that may be read in all; what is read is to be taken off. */
  readonly creditBytes: number;
}

/**
 * Picks what a scrub reads: what has to be read before the next run that comes after as long a time as this one did, so
 * that everything is read back within `days`; and beyond that, oldest first, a share as big as the time that has gone.
 * A file that is bigger than a share is read when it is its turn, and the next runs read less.
 * @param days Greater than 0.
 */
export function shareOf<File extends { readonly path: string; readonly sizeBytes: number }>(
  files: readonly File[],
  memory: Pick<ScrubMemory, "lastRunAtMs" | "creditBytes"> & { readonly files: Readonly<Record<string, ScrubEntry>> },
  { nowMs, days, all = false }: { nowMs: number; days: number; all?: boolean },
): Share<File> {
  const cycleMs = days * dayMs;
  const sinceMs = memory.lastRunAtMs === undefined ? dayMs : nowMs - memory.lastRunAtMs;
  const intervalMs = Math.min(Math.max(sinceMs, 0), cycleMs);
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const credit = Math.max(memory.creditBytes, -totalBytes) + (totalBytes * intervalMs) / cycleMs;
  const creditBytes = Math.min(credit, totalBytes);
  // A moment that lies ahead is that of a clock that was wrong.
  const ageOf = ({ path }: File) => {
    const { readAtMs, seenAtMs = nowMs } = memory.files[path] ?? {};
    return Math.max(0, nowMs - (readAtMs ?? seenAtMs));
  };
  let leftBytes = creditBytes;
  const chosen = files
    .map((file) => ({ file, ageMs: ageOf(file) }))
    .sort((a, b) => b.ageMs - a.ageMs || (a.file.path < b.file.path ? -1 : 1))
    .filter(({ file, ageMs }) => {
      const isDue = ageMs + intervalMs >= cycleMs;
      // One that was read a moment ago says nothing new.
      const isItsTurn = leftBytes > 0 && (ageMs > 0 || memory.files[file.path]?.readAtMs === undefined);
      if (!all && !isDue && !isItsTurn) return false;
      leftBytes -= file.sizeBytes;
      return true;
    });
  return { files: chosen.map(({ file }) => file), creditBytes };
}
