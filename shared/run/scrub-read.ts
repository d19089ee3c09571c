import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../failures.ts";
import type { AppFolders } from "../nas/nas.ts";
import { openReadBack } from "../nas/read-back.ts";
import { readList } from "./folder-list.ts";
import type { ScrubFile } from "./scrub-files.ts";
import type { ScrubEntry } from "./scrub-state.ts";

/** What reading something back has shown. */
export interface Judgement {
  readonly ok: boolean;
  /** When it is not what it was: below the export, and why. */
  readonly file: string;
  readonly why: string;
  /** Of a file. */
  readonly sha256?: string;
  readonly isMissing?: boolean;
}

export interface ReadOptions {
  readonly folders: AppFolders;
  readonly signal: AbortSignal;
  /** Awaited after each piece. */
  readonly onBytes: (bytes: number) => Promise<void>;
  /** Of a folder: where an earlier scrub had come to. */
  readonly upTo?: string | undefined;
  /** Told after each file of a folder. */
  readonly onFile?: (path: string) => Promise<void>;
}

/**
 * Reads a file, or all files of a folder's list, past the client's cache where the system allows it.
 * @throws {Failure} `nas_unreachable` when the NAS does not answer: that says nothing about the bytes.
 */
export async function readFileBack(
  file: ScrubFile,
  known: ScrubEntry | undefined,
  options: ReadOptions,
): Promise<Judgement> {
  if (file.kind === "folder") return readFolderBack(file, options);
  const found = await hashOf(file.where, options);
  if (typeof found !== "string") return { ok: false, file: file.shown, ...found };
  const wanted = file.wanted.length > 0 ? file.wanted : [asFirstRead(file, known) ?? found];
  return judge(file.shown, found, wanted);
}

/** What no manifest knows has to stay what it was, until somebody puts another file there. */
const asFirstRead = ({ look }: ScrubFile, known: ScrubEntry | undefined) =>
  known?.look === look ? known?.sha256 : undefined;

async function readFolderBack({ where, shown, wanted }: ScrubFile, options: ReadOptions): Promise<Judgement> {
  const { folders, upTo, onFile, signal } = options;
  let isPast = upTo === undefined;
  try {
    for await (const { path, sha256 } of readList(folders, wanted[0] as string)) {
      signal.throwIfAborted();
      if (!isPast) {
        isPast = path === upTo;
        continue;
      }
      const found = await hashOf(join(where, path), options);
      const file = `${shown}/${path}`;
      if (typeof found !== "string") return { ok: false, file, why: found.why };
      const judged = judge(file, found, [sha256]);
      if (!judged.ok) return judged;
      await onFile?.(path);
    }
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "backup_damaged") throw error;
    return { ok: false, file: shown, why: error.message };
  }
  // The place where an earlier scrub had come to is in no other list.
  if (!isPast) return readFolderBack({ where, shown, wanted } as ScrubFile, { ...options, upTo: undefined });
  return { ok: true, file: shown, why: "" };
}

function judge(file: string, sha256: string, wanted: readonly string[]): Judgement {
  const ok = wanted.includes(sha256);
  return { ok, file, sha256, why: ok ? "" : `sha256 ${wanted[0]} is wanted, is ${sha256}` };
}

/** @returns sha256, or why there is none. */
async function hashOf(
  path: string,
  { signal, onBytes }: ReadOptions,
): Promise<string | { why: string; isMissing?: boolean }> {
  try {
    // A link leads to somebody else's file.
    if (!(await lstat(path)).isFile()) return { why: "a file is wanted, is something else" };
    const file = await openReadBack(path, { signal });
    try {
      for await (const chunk of file.stream()) await onBytes(chunk.length);
      return await file.sha256();
    } finally {
      await file.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return { why: "it is not there", isMissing: true };
    // A sector that the disk cannot read any more; or it was cut short while it was read.
    if (code === "EIO" || code === "backup_damaged") return { why: `it cannot be read to its end (${message})` };
    if (error instanceof Failure) throw error;
    throw new Failure("nas_unreachable", `Cannot read "${path}": ${message}`, { cause: error });
  }
}
