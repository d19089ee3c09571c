import { join } from "node:path";
import { ignore } from "../../shared/disk.ts";
import { stat } from "../../shared/files.ts";

/** A download, or a model that is being made: files in `blobs/` that are no blobs yet. */
export interface Pull {
  /** Which blob it becomes; unknown of one that `ollama create` makes. */
  readonly blob?: string;
  /** Its newest file was last written to at this moment, in ms since the epoch. */
  readonly writtenAtMs: number;
}

/**
 * Which blob an unfinished file belongs to (server/download.go, x/transfer/download.go, manifest/layer.go):
 * `sha256-<hex>-partial` has its full size from the start, so its size tells nothing; `-partial-<n>` says how far each
 * part is; `.tmp` is a tensor's; `sha256-<number>` has no name yet.
 * @returns undefined for a name of neither kind.
 */
export function unfinished(name: string): { blob?: string } | undefined {
  const match = /^(sha256-[0-9a-f]{64})(?:-partial(?:-\d+)?|\.tmp)$/.exec(name);
  if (match) return { blob: match[1] as string };
  return /^sha256-\d{1,20}$/.test(name) ? {} : undefined;
}

/** @param others Names in `blobs/` that are no blobs. */
export async function findPulls(folder: string, others: readonly string[]): Promise<Pull[]> {
  const pulls = new Map<string, Pull>();
  for (const name of others) {
    const file = unfinished(name);
    const found = file && (await stat(join(folder, "blobs", name)).catch(ignore("ENOENT")));
    if (!file || !found?.isFile()) continue;
    const key = file.blob ?? name;
    pulls.set(key, { ...file, writtenAtMs: Math.max(found.mtimeMs, pulls.get(key)?.writtenAtMs ?? 0) });
  }
  return [...pulls.values()];
}

/** Ollama gives up on a part that stalls for 30 s, and tries again; what nobody wrote to for long is abandoned. */
export const isUnderWay = ({ writtenAtMs }: Pull, nowMs: number, idleMs: number) =>
  // A time that lies ahead by more is that of a clock that was wrong.
  Math.abs(nowMs - writtenAtMs) < idleMs;
