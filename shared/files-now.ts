import { createHash } from "node:crypto";
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
import { crc32 } from "node:zlib";

/** A small file, or a part of a large one, held in memory. */
export interface SmallFile {
  path: string;
  bytes: Uint8Array;
  /** Where they begin, in a file that is written in parts, in order; all but the first part find it there. */
  from?: number;
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

/** Writes new files; replaces none. */
export interface FileWriter {
  /** And reads each of them back. @returns The first path that has other bytes. @throws {NodeJS.ErrnoException} */
  write(files: readonly SmallFile[], attributes: FileAttributes): Promise<string | undefined>;
  /** Does not read them back. @throws {NodeJS.ErrnoException} */
  writeOnly(files: readonly SmallFile[], attributes: FileAttributes): Promise<void>;
}

/** What a file has proven to be. */
export interface Proven {
  readonly sizeBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** On this thread. */
export function writerHere(): FileWriter {
  const buffer = Buffer.allocUnsafeSlow(readBackBytes);
  return {
    write: async (files, attributes) => writeProven(files, attributes, buffer),
    writeOnly: async (files, attributes) => writeManyNow(files, attributes),
  };
}

/** What is read back at once: most files are smaller. */
export const readBackBytes = 1 << 18;

/** @param buffer For reading back; what was in it is gone. @returns The first path that has other bytes. */
export function writeProven(
  files: readonly SmallFile[],
  attributes: FileAttributes,
  buffer: Buffer,
): string | undefined {
  return files.find((file) => !writeNow(file, attributes, buffer))?.path;
}

export function writeManyNow(files: readonly SmallFile[], attributes: FileAttributes): void {
  for (const file of files) writeNow(file, attributes);
}

/**
 * Writes a new file, and replaces none; or the next part of one.
 * @param readBack Memory of any size to read it back into.
 * @returns Whether it has the bytes that were written, and ends with them; true when nobody asked.
 */
function writeNow(
  { path, bytes, from = 0, mode, modifiedAtMs }: SmallFile,
  { fileMode, owner }: FileAttributes,
  readBack?: Buffer,
): boolean {
  const flags = constants.O_RDWR | (from > 0 ? (constants.O_NOFOLLOW ?? 0) : constants.O_CREAT | constants.O_EXCL);
  const file = openSync(path, flags, mode ?? fileMode);
  try {
    for (let done = 0; done < bytes.byteLength; ) {
      done += writeSync(file, bytes, done, bytes.byteLength - done, from + done);
    }
    // A look takes less than a change, which goes through the journal of the file system.
    const is = owner || mode !== undefined ? fstatSync(file) : undefined;
    if (owner && is && (is.uid !== owner.uid || is.gid !== owner.gid)) fchownSync(file, owner.uid, owner.gid);
    if (mode !== undefined && is && (is.mode & 0o7777) !== mode) fchmodSync(file, mode);
    if (modifiedAtMs !== undefined) futimesSync(file, modifiedAtMs / 1000, modifiedAtMs / 1000);
    return readBack === undefined || endsWith(file, bytes, from, readBack);
  } finally {
    closeSync(file);
  }
}

function endsWith(file: number, bytes: Uint8Array, from: number, buffer: Buffer): boolean {
  for (let done = 0; ; ) {
    const read = readSync(file, buffer, 0, buffer.length, from + done);
    if (read === 0) return done === bytes.byteLength;
    if (!buffer.subarray(0, read).equals(bytes.subarray(done, done + read))) return false;
    done += read;
  }
}

/** @returns The CRC-32 of a part of a file; undefined when it ends before. */
export function crc32Now(
  { path, from, lengthBytes }: { path: string; from: number; lengthBytes: number },
  buffer: Buffer,
): number | undefined {
  const file = openSync(path, "r");
  try {
    let sum = 0;
    for (let done = 0; done < lengthBytes; ) {
      const read = readSync(file, buffer, 0, Math.min(buffer.length, lengthBytes - done), from + done);
      if (read === 0) return undefined;
      sum = crc32(buffer.subarray(0, read), sum);
      done += read;
    }
    return sum;
  } finally {
    closeSync(file);
  }
}

/** Looks at the content of a file, part after part. */
export interface Reader<Result> {
  update(part: Buffer): void;
  end(): Result;
}

/** @returns What the reader has made of a file; undefined when it is not there. */
export function readNow<Result>(path: string, buffer: Buffer, reader: Reader<Result>): Result | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
  try {
    for (let offset = 0; ; ) {
      const bytesRead = readSync(file, buffer, 0, buffer.length, offset);
      if (bytesRead === 0) return reader.end();
      reader.update(buffer.subarray(0, bytesRead));
      offset += bytesRead;
    }
  } finally {
    closeSync(file);
  }
}

export function proofReader(): Reader<Proven> {
  const sum = createHash("sha256");
  let sizeBytes = 0;
  return {
    update(part) {
      sum.update(part);
      sizeBytes += part.length;
    },
    end: () => ({ sizeBytes, sha256: sum.digest("hex") }),
  };
}
