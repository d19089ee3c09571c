import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../../shared/failures.ts";
import { fileFingerprint } from "../../shared/source/fingerprint.ts";
import { PackedLines } from "../../shared/source/packed-lines.ts";
import { StatHash } from "../../shared/source/stat-hash.ts";
import { type WalkedFile, walkEach } from "../../shared/source/walk.ts";
import { isRegion, isTransient } from "./members.ts";

/** A folder of a game or a world, as the file system tells it. */
export interface Look {
  /** Of the files that count: equal means that no byte of them was written since. */
  readonly fingerprint: string;
  readonly sizeBytes: number;
  /** When a file was written last, and when one that counts was. */
  readonly newestMs: number;
  readonly changedAtMs: number;
  readonly regions: number;
}

/** A look that later ones can be compared with file by file. */
export interface Listing extends Look {
  /** By path, below the folder: equal means that no byte of the file was written since; "" for a folder. */
  readonly stamps: Stamps;
}

export interface LookOptions {
  /** Which files count for the fingerprint. */
  readonly counts: (path: string) => boolean;
  readonly signal: AbortSignal;
}

/** Paths with what stands for their content. Hardly anything moves between two looks, so they are packed until then. */
class Stamps {
  readonly #lines = new PackedLines();

  add(path: string, stamp: string): void {
    this.#lines.add(lineOf(path, stamp));
  }

  /** As `lineOf`, in the order in which they were added; undefined behind the last. */
  at(index: number): string | undefined {
    return this.#lines.at(index);
  }

  /** Paths that only one of them has, or that have other stamps. */
  differing(later: Stamps): string[] {
    if (this.#lines.equals(later.#lines)) return [];
    const [before, after] = [this.#byPath(), later.#byPath()];
    const moved = [...after].filter(([path, stamp]) => before.get(path) !== stamp).map(([path]) => path);
    return [...moved, ...[...before.keys()].filter((path) => !after.has(path))];
  }

  #byPath(): Map<string, string> {
    const byPath = new Map<string, string>();
    for (const line of this.#lines) {
      // A name may hold a line feed, a stamp does not.
      const end = line.lastIndexOf("\n");
      byPath.set(line.slice(0, end), line.slice(end + 1));
    }
    return byPath;
  }
}

const lineOf = (path: string, stamp: string) => `${path}\n${stamp}`;

/** The clock of files moves in steps of up to 10 ms: a second write in one step leaves no trace. */
const clockStepMs = 20;
const rounds = 25;

/**
 * Everything in a folder but what is about to be renamed. Holds nothing of it.
 * @throws {Failure} `source_changing` when files come and go all the time; as `walkFiles`.
 */
export async function lookAt(folder: string, options: LookOptions): Promise<Look> {
  for (let round = 1; ; round++) {
    const found = await look(folder, options, () => {}).catch(ifChanging(round));
    if (found) return found;
    await delay(clockStepMs, undefined, { signal: options.signal });
  }
}

/**
 * A listing in which every later write shows: waits, for a moment, until the last write before it is in the past.
 * @throws {Failure} As `lookAt`.
 */
export async function listSettled(folder: string, options: LookOptions): Promise<Listing> {
  for (let round = 1; ; round++) {
    const stamps = new Stamps();
    const sinceMs = Date.now();
    const found = await look(folder, options, (file) => stamps.add(file.path, stampOf(file))).catch(ifChanging(round));
    // A time that is still to come is told by another clock, and every write moves it.
    const settled =
      found && (found.writtenAtMs < sinceMs - clockStepMs || found.writtenAtMs > Date.now() + clockStepMs);
    if (found && (settled || round >= rounds)) return { ...found, stamps };
    await delay(clockStepMs + 5, undefined, { signal: options.signal });
  }
}

/** @returns Files that were written, made or removed since a listing. */
export async function movedSince(folder: string, before: Listing, options: LookOptions): Promise<string[]> {
  let [seen, isSame] = [0, true];
  await look(folder, options, (file) => {
    isSame &&= before.stamps.at(seen) === lineOf(file.path, stampOf(file));
    seen += 1;
  });
  if (isSame && before.stamps.at(seen) === undefined) return [];
  // Which ones is seldom asked, so only then are the stamps held twice. What has moved stays so.
  const stamps = new Stamps();
  await look(folder, options, (file) => stamps.add(file.path, stampOf(file)));
  return before.stamps.differing(stamps);
}

export const movedBetween = (before: Listing, after: Listing): string[] => before.stamps.differing(after.stamps);

const ifChanging = (round: number) => (error: unknown) => {
  if (round < rounds && error instanceof Failure && error.code === "source_changing") return undefined;
  throw error;
};

/** What stands for the content of a file; "" for a folder. */
export const stampOf = ({ kind, stat }: Pick<WalkedFile, "kind" | "stat">): string =>
  kind === "file" ? fileFingerprint("", stat) : "";

/** @throws {Failure} `source_invalid` for a link or a special file, which no archive of ours may hold; as `walkFiles`. */
async function look(
  folder: string,
  { counts, signal }: LookOptions,
  onFile: (file: WalkedFile) => void,
): Promise<Look & { writtenAtMs: number }> {
  const hash = new StatHash();
  let [sizeBytes, newestMs, changedAtMs, writtenAtMs, regions] = [0, 0, 0, 0, 0];
  await walkEach(folder, { folders: true, skip: isTransient, signal }, (file) => {
    const { path, kind, stat, mtimeMs } = file;
    if (kind !== "file" && kind !== "folder") {
      throw new Failure(
        "source_invalid",
        `Cannot back up "${folder}/${path}": a file or a folder is wanted, is ${kind === "link" ? "a link" : "a special file"}`,
        { hint: "Put what it leads to in its place." },
      );
    }
    writtenAtMs = Math.max(writtenAtMs, stat.ctimeMs);
    if (kind === "file") {
      sizeBytes += file.sizeBytes;
      newestMs = Math.max(newestMs, mtimeMs);
      if (isRegion(path)) regions += 1;
      if (counts(path)) {
        changedAtMs = Math.max(changedAtMs, mtimeMs);
        hash.add(path, stat);
      }
    }
    onFile(file);
  });
  return { fingerprint: hash.hex(), sizeBytes, newestMs, changedAtMs, writtenAtMs, regions };
}
