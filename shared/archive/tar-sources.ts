import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../failures.ts";
import type { WalkedFile } from "../source/walk.ts";
import { shown } from "./names.ts";
import type { TarSource } from "./tar-write.ts";

const chunkBytes = 1 << 19;
/** Files up to this size are read with synchronous calls, as they are walked: four times as fast. */
const smallBytes = 1 << 18;
/** No link, and no pipe that somebody has put in the file's place, which would be waited for. */
const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * Walked files and folders as entries for `tarOf`, which reads each before it asks for the next: all share two buffers.
 * @param inArchive The path in the archive; as it was walked when absent.
 * @throws {Failure} `source_changing` when a file is not, before and after it is read, what it was when it was walked;
 * `source_invalid` for a link or a special file, which an archive does not hold: the caller skips it and says so.
 */
export async function* tarSources(
  root: string,
  files: AsyncIterable<WalkedFile> | Iterable<WalkedFile>,
  inArchive: (path: string) => string = (path) => path,
): AsyncGenerator<TarSource> {
  const buffers: Buffer[] = [];
  for await (const file of files) {
    const { kind, sizeBytes, mtimeMs, stat } = file;
    if (kind !== "file" && kind !== "folder") {
      throw new Failure(
        "source_invalid",
        `Cannot archive "${shown(file.path)}": a file or folder is wanted, is a ${kind}`,
      );
    }
    const read = sizeBytes <= smallBytes ? readSmall : readLarge;
    yield {
      path: inArchive(file.path),
      type: kind,
      sizeBytes: kind === "folder" ? 0 : sizeBytes,
      mtimeMs,
      mode: stat.mode,
      open: () => read(join(root, file.path), file, buffers),
    };
  }
}

async function* readSmall(path: string, { sizeBytes, stat }: WalkedFile, buffers: Buffer[]): AsyncGenerator<Buffer> {
  const buffer = bufferOf(buffers, 0);
  const file = tried(path, () => openSync(path, flags));
  try {
    expectSame(path, stat, fstatSync(file));
    let done = 0;
    for (let read = -1; done < sizeBytes && read !== 0; done += read) {
      read = readSync(file, buffer, done, sizeBytes - done, done);
    }
    expectSame(path, stat, fstatSync(file));
    yield buffer.subarray(0, done);
  } finally {
    closeSync(file);
  }
}

async function* readLarge(path: string, { sizeBytes, stat }: WalkedFile, buffers: Buffer[]): AsyncGenerator<Buffer> {
  const file = await open(path, flags).catch((error) => {
    throw gone(path, error);
  });
  try {
    expectSame(path, stat, await file.stat());
    for (let done = 0, turn = 0; done < sizeBytes; turn += 1) {
      const { bytesRead, buffer } = await file.read(
        bufferOf(buffers, turn % 2),
        0,
        Math.min(chunkBytes, sizeBytes - done),
        done,
      );
      // It became shorter: that is seen below.
      if (bytesRead === 0) break;
      done += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
    expectSame(path, stat, await file.stat());
  } finally {
    await file.close();
  }
}

function bufferOf(buffers: Buffer[], index: number): Buffer {
  buffers[index] ??= Buffer.allocUnsafeSlow(chunkBytes);
  return buffers[index];
}

function tried<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw gone(path, error as NodeJS.ErrnoException);
  }
}

/** A name that has gone, or leads elsewhere now, was moved meanwhile; anything else is a matter of rights or the disk. */
function gone(path: string, cause: NodeJS.ErrnoException): Failure {
  const moved = cause.code === "ENOENT" || cause.code === "ELOOP" || cause.code === "ENOTDIR";
  return new Failure(moved ? "source_changing" : "source_unreachable", `Cannot read "${path}": ${cause.message}`, {
    cause,
    ...(!moved && { hint: "Is Keepsake run as the user that the data belongs to?" }),
  });
}

/** Not ctime: a rename of the file moves it, and the bytes stay. */
function expectSame(path: string, before: Stats, now: Stats): void {
  const same = (["dev", "ino", "size", "mtimeMs"] as const).every((key) => before[key] === now[key]);
  if (same) return;
  throw new Failure(
    "source_changing",
    `Cannot archive "${path}": a file that stays as it is wanted, it was written to`,
    {
      hint: "Something writes to it. The next run tries again.",
    },
  );
}
