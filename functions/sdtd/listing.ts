import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../../shared/failures.ts";
import { fileFingerprint } from "../../shared/source/fingerprint.ts";
import { walkFiles } from "../../shared/source/walk.ts";
import { isTransient } from "./members.ts";

/** A file or a folder of a game or a world, as it was looked at. */
export interface Listed {
  /** Below the folder, with "/" between its parts. */
  readonly path: string;
  readonly type: "file" | "folder";
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly mode: number;
  /** Equal means that no byte of the file was written since. Of a folder: "". */
  readonly stamp: string;
}

/** By path, in the order of the walk. */
export type Listing = ReadonlyMap<string, Listed>;

/**
 * Everything in a folder but what is about to be renamed.
 * @throws {Failure} `source_invalid` for a link or a special file, which no archive of ours may hold; as `walkFiles`.
 */
async function list(folder: string, signal: AbortSignal): Promise<{ listing: Listing; newestMs: number }> {
  const listing = new Map<string, Listed>();
  let newestMs = 0;
  for await (const { path, kind, sizeBytes, mtimeMs, stat } of walkFiles(folder, {
    folders: true,
    skip: isTransient,
    signal,
  })) {
    if (kind !== "file" && kind !== "folder") {
      throw new Failure(
        "source_invalid",
        `Cannot back up "${folder}/${path}": a file or a folder is wanted, is ${kind === "link" ? "a link" : "a special file"}`,
        { hint: "Put what it leads to in its place." },
      );
    }
    const isFile = kind === "file";
    newestMs = Math.max(newestMs, Number(stat.ctimeNs / 1_000_000n));
    listing.set(path, {
      path,
      type: kind,
      sizeBytes: isFile ? sizeBytes : 0,
      mtimeMs,
      mode: Number(stat.mode) & 0o777,
      stamp: isFile ? fileFingerprint("", stat) : "",
    });
  }
  return { listing, newestMs };
}

/** The clock of files moves in steps of up to 10 ms: a second write in one step leaves no trace. */
const clockStepMs = 20;
const rounds = 25;

/**
 * A listing in which every later write shows: waits, for a moment, until the last write before it is in the past.
 * @throws {Failure} As above; `source_changing` when files come and go all the time.
 */
export async function listSettled(folder: string, signal: AbortSignal): Promise<Listing> {
  for (let round = 1; ; round++) {
    const sinceMs = Date.now();
    const found = await list(folder, signal).catch((error: unknown) => {
      if (round < rounds && error instanceof Failure && error.code === "source_changing") return undefined;
      throw error;
    });
    // What is not written at this moment, or by another clock, will show.
    const settled = found && Math.abs(sinceMs - found.newestMs) > clockStepMs;
    if (found && (settled || round >= rounds)) return found.listing;
    await delay(clockStepMs + 5, undefined, { signal });
  }
}

/** What the file system says of these files, without reading them. */
export function fingerprintOf(listing: Listing, counts: (path: string) => boolean): string {
  const hash = createHash("sha256");
  for (const { path, type, stamp } of listing.values()) {
    if (type === "file" && counts(path)) hash.update(`${JSON.stringify(path)} ${stamp}\n`);
  }
  return hash.digest("hex");
}

export function bytesOf(listing: Listing): number {
  let sizeBytes = 0;
  for (const listed of listing.values()) sizeBytes += listed.sizeBytes;
  return sizeBytes;
}

/** Files that were written, made or removed between two listings. */
export function movedBetween(before: Listing, after: Listing): string[] {
  const moved = [...after.values()].filter(({ path, stamp }) => before.get(path)?.stamp !== stamp);
  const gone = [...before.values()].filter(({ path }) => !after.has(path));
  return [...moved, ...gone].map(({ path }) => path);
}
