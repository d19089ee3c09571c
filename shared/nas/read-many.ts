import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import { ignore } from "../disk.ts";
import { type Proven, proofReader, type Reader, readNow, type SmallFile } from "../files-now.ts";
import { answersAtOnce } from "../source/file-system.ts";

/** What is read at once: most files are smaller. */
const readBytes = 1 << 18;
/** Files that are read with synchronous calls before anything else gets its turn. */
const filesATurn = 32;

/** Proves files on another thread. */
export interface Prover {
  /** As `proveMany`, of absolute paths. */
  prove(paths: readonly string[]): Promise<readonly (Proven | undefined)[]>;
}

/**
 * Proves files of which there are many: the same as `openReadBack` and `sha256`, in fewer calls.
 * @param paths Below the folder, all on its file system.
 * @param other Takes half of them; only where the disk answers at once.
 * @returns In their order; undefined for one that is not there.
 * @throws {NodeJS.ErrnoException} What reading fails with.
 */
export async function proveMany(
  folder: string,
  paths: readonly string[],
  { signal, other }: { signal?: AbortSignal; other?: Prover | undefined } = {},
): Promise<(Proven | undefined)[]> {
  const half = other ? paths.length >> 1 : 0;
  const there = other?.prove(paths.slice(0, half).map((path) => resolve(folder, path)));
  there?.catch(() => {});
  const here = await readMany(folder, paths.slice(half), signal, proofReader);
  return [...((await there) ?? []), ...here];
}

/** Reads back what was just written, below a folder. @returns The first path that has other bytes, or is not there. */
export async function firstOther(folder: string, files: readonly SmallFile[]): Promise<string | undefined> {
  const paths = files.map(({ path }) => path);
  const same = await readMany(folder, paths, undefined, (index) => {
    const { bytes } = files[index] as SmallFile;
    let [sizeBytes, equal] = [0, true];
    return {
      update(part) {
        const wanted = bytes.subarray(sizeBytes, sizeBytes + part.length);
        equal &&= part.equals(wanted);
        sizeBytes += part.length;
      },
      end: () => equal && sizeBytes === bytes.byteLength,
    };
  });
  return paths.find((_, index) => same[index] !== true);
}

/** A few at a time where each call is answered late, one after the other where it is answered at once. */
async function readMany<Result>(
  folder: string,
  paths: readonly string[],
  signal: AbortSignal | undefined,
  readerOf: (index: number) => Reader<Result>,
): Promise<(Result | undefined)[]> {
  const results: (Result | undefined)[] = [];
  if (await answersAtOnce(folder)) {
    const buffer = Buffer.allocUnsafeSlow(readBytes);
    for (const [index, path] of paths.entries()) {
      if (index % filesATurn === 0) await setImmediate();
      signal?.throwIfAborted();
      results.push(readNow(resolve(folder, path), buffer, readerOf(index)));
    }
    return results;
  }
  const waiting = paths.entries();
  const next = async () => {
    const buffer = Buffer.allocUnsafeSlow(readBytes);
    for (const [index, path] of waiting) {
      signal?.throwIfAborted();
      results[index] = await readOne(resolve(folder, path), buffer, () => readerOf(index));
    }
  };
  await Promise.all(Array.from({ length: 8 }, next));
  return results;
}

const absent = ignore("ENOENT", "ENOTDIR");

/** Past the client's cache where the file system allows it, as `openReadBack`. */
async function readOne<Result>(
  path: string,
  buffer: Buffer,
  readerOf: () => Reader<Result>,
): Promise<Result | undefined> {
  const direct = isDirect && constants.O_DIRECT !== undefined;
  try {
    const file = await open(path, constants.O_RDONLY | (direct ? constants.O_DIRECT : 0));
    const reader = readerOf();
    try {
      for (let offset = 0; ; ) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
        if (bytesRead === 0) return reader.end();
        reader.update(buffer.subarray(0, bytesRead));
        offset += bytesRead;
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!direct || (code !== "EINVAL" && code !== "ENOTSUP")) return absent(error as NodeJS.ErrnoException);
    isDirect = false;
    return readOne(path, buffer, readerOf);
  }
}

/** Until a file system was found that has no use for O_DIRECT: an app's files lie on one. */
let isDirect = true;
