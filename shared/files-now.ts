import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  openSync,
  readSync,
  writeSync,
} from "node:fs";

/** A small file, held in memory. */
export interface SmallFile {
  path: string;
  bytes: Uint8Array;
  mode?: number;
  modifiedAtMs?: number;
}

/** What files get that do not say otherwise. */
export interface FileAttributes {
  readonly fileMode: number;
  readonly owner?: { uid: number; gid: number } | undefined;
}

/*
 * Small files of a disk that answers at once, with synchronous calls: on the thread that wants them, or on one that
 * does nothing else (`file-thread.ts`).
 */

/** Writes a new file, and replaces none. */
export function writeNow({ path, bytes, mode, modifiedAtMs }: SmallFile, { fileMode, owner }: FileAttributes): void {
  const file = openSync(path, "wx", mode ?? fileMode);
  try {
    for (let done = 0; done < bytes.byteLength; ) done += writeSync(file, bytes, done, bytes.byteLength - done, done);
    // A look takes less than a change, which goes through the journal of the file system.
    const is = owner || mode !== undefined ? fstatSync(file) : undefined;
    if (owner && is && (is.uid !== owner.uid || is.gid !== owner.gid)) fchownSync(file, owner.uid, owner.gid);
    if (mode !== undefined && is && (is.mode & 0o7777) !== mode) fchmodSync(file, mode);
    if (modifiedAtMs !== undefined) futimesSync(file, modifiedAtMs / 1000, modifiedAtMs / 1000);
  } finally {
    closeSync(file);
  }
}

/** @param buffer Of any size; what was in it is gone. */
export function isOther({ path, bytes }: SmallFile, buffer: Buffer): boolean {
  const file = openSync(path, constants.O_RDONLY);
  try {
    for (let done = 0; ; ) {
      const read = readSync(file, buffer, 0, buffer.length, done);
      if (read === 0) return done !== bytes.byteLength;
      if (!buffer.subarray(0, read).equals(bytes.subarray(done, done + read))) return true;
      done += read;
    }
  } finally {
    closeSync(file);
  }
}
