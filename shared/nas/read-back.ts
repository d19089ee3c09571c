import { createHash } from "node:crypto";
import { constants, readSync } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { crc32Text, joinCrc32 } from "../crc32.ts";
import { ignore } from "../disk.ts";
import { Failure } from "../failures.ts";
import { answersAtOnce } from "../source/file-system.ts";
import { takingTurns } from "../source/walk.ts";

const chunkBytes = 1 << 19;
/** What a thread reads before it looks for more to do. */
const partBytes = 4 << 20;
/** Chunks of a stream that are valid at the same time: consumers read ahead by one or two, and so does the stream. */
const ringSize = 5;
/** The same where another thread hashes them, which may be busy for the time of some. */
const hasherRingSize = 8;

/** Computes the sha256 of a stream in another place. */
export interface Hasher {
  /** What it is given lies in such memory. */
  memory(sizeBytes: number): Buffer;
  /** Fulfilled when the bytes are no longer needed. */
  update(bytes: Buffer): Promise<void>;
  /** Lower-case hex. */
  digest(): Promise<string>;
}

/** Reads and sums parts of files on another thread. */
export interface Summer {
  /** The CRC-32 of a part; undefined when the file ends before. */
  crc32(path: string, from: number, lengthBytes: number): Promise<number | undefined>;
}

export interface StreamOptions {
  /** Who hashes; whoever reads when absent. */
  readonly hasher?: Hasher | undefined;
  /** The sizes of the first chunks. */
  readonly chunks?: readonly number[] | undefined;
}

/**
 * A file that is read to be proven, past the client's cache where the file system allows it: on NFS a buffered
 * read-back calls a copy equal that the server has damaged; O_DIRECT finds it.
 */
export interface ReadBack {
  readonly path: string;
  readonly sizeBytes: number;
  /**
   * The whole content, in order. Reading it to its end also hashes it, so `sha256` costs no second pass.
   * A chunk is overwritten when the third one after it is asked for: buffers are used again, so that memory stays flat.
   */
  stream(options?: StreamOptions): AsyncIterable<Buffer>;
  /** Any part; for formats with a directory. Throws `backup_damaged` when the file ends before. */
  read(offset: number, lengthBytes: number): Promise<Buffer>;
  /** The same into a buffer of the caller's. */
  fill(buffer: Buffer, offset: number): Promise<Buffer>;
  /** Lower-case hex; reads the file unless a stream has been read to its end. */
  sha256(): Promise<string>;
  /**
   * Of the whole file, as a manifest has it; reads it, in a third of the time.
   * @param other Takes its share of a file that is near.
   */
  crc32(other?: Summer): Promise<string>;
  close(): Promise<void>;
}

/**
 * Opens a file for proving. The caller closes it.
 * @throws {Failure} `backup_damaged` when it is no file: a pipe would be waited for, for ever.
 */
export async function openReadBack(
  path: string,
  options: { signal?: AbortSignal; onBytes?: (n: number) => void } = {},
): Promise<ReadBack> {
  const found = await stat(path);
  const { size, dev } = found;
  if (!found.isFile()) {
    throw new Failure("backup_damaged", `Cannot read "${path}": a file is wanted, is something else`);
  }
  // The system reads ahead by itself there. What another thread has read is in the other processor's cache.
  const isNear = await answersAtOnce(path);
  const file = (await openDirect(path, dev)) ?? (await open(path, constants.O_RDONLY));
  let digest: string | undefined;

  /** Each chunk is looked at before it is given; it is not overwritten while a look that takes time is under way. */
  async function* chunks(
    look: (chunk: Buffer) => Promise<void> | void,
    { hasher, chunks: sizes = [] }: StreamOptions = {},
  ): AsyncGenerator<Buffer> {
    const memory = hasher?.memory ?? Buffer.allocUnsafeSlow;
    const slots = hasher ? hasherRingSize : ringSize;
    let offset = 0;
    const largest = sizes.reduce((most, sizeBytes) => Math.max(most, sizeBytes), sizes.length > 0 ? 0 : chunkBytes);
    const ring: Buffer[] = [];
    const looking: (Promise<void> | void)[] = [];
    const read = (index: number) => {
      const wanted = Math.min(sizes[index] ?? chunkBytes, size - offset);
      if (wanted <= 0) return undefined;
      let slot = ring[index % slots];
      if (!slot || slot.length < wanted) slot = memory(Math.max(wanted, Math.min(largest, size)));
      ring[index % slots] = slot;
      const [buffer, from] = [slot.subarray(0, wanted), offset];
      offset += wanted;
      const looked = looking[index % slots];
      const into = () => fill(buffer, file, path, from, isNear);
      const reading = looked ? looked.then(into) : into();
      reading.catch(() => {});
      return reading;
    };
    const turns = takingTurns();
    let reading = read(0);
    try {
      for (let index = 0, done = 0; reading; index += 1) {
        options.signal?.throwIfAborted();
        const chunk: Buffer = await reading;
        // Read while this one is hashed and used.
        if (!isNear) reading = read(index + 1);
        const looked = look(chunk);
        looked?.catch(() => {});
        looking[index % slots] = looked;
        done += chunk.length;
        options.onBytes?.(done);
        yield chunk;
        if (!isNear) continue;
        if (turns.isOver()) await turns.next();
        reading = read(index + 1);
      }
      await Promise.all(looking);
    } finally {
      await reading?.catch(() => {});
    }
  }

  async function* stream(options: StreamOptions = {}): AsyncGenerator<Buffer> {
    const { hasher } = options;
    if (hasher) {
      yield* chunks((chunk) => hasher.update(chunk), options);
      digest = await hasher.digest();
      return;
    }
    const hash = createHash("sha256");
    yield* chunks((chunk) => void hash.update(chunk), options);
    digest = hash.digest("hex");
  }

  /** The CRC-32 of the file: whichever thread is free takes the next part. */
  async function shared(other: Summer): Promise<number> {
    const buffer = Buffer.allocUnsafeSlow(Math.min(chunkBytes, size));
    const sums: number[] = [];
    let taken = 0;
    let done = 0;
    const lengthOf = (part: number) => Math.min(partBytes, size - part * partBytes);
    const here = async (part: number) => {
      let sum = 0;
      const end = part * partBytes + lengthOf(part);
      for (let from = part * partBytes; from < end; from += chunkBytes) {
        sum = crc32(await fill(buffer.subarray(0, Math.min(chunkBytes, end - from)), file, path, from, true), sum);
      }
      await nextTurn();
      return sum;
    };
    // What it could not read to its end is told of here.
    const there = async (part: number) =>
      (await other.crc32(path, part * partBytes, lengthOf(part))) ?? (await here(part));
    const take = async (sumOf: (part: number) => Promise<number>) => {
      while (taken * partBytes < size) {
        options.signal?.throwIfAborted();
        const part = taken++;
        sums[part] = await sumOf(part);
        done += lengthOf(part);
        options.onBytes?.(done);
      }
    };
    // The other one always has a part that waits for it. Nobody reads any more when it throws.
    const ends = await Promise.allSettled([take(there), take(there), take(here)]);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    return sums.reduce((sum, next, part) => joinCrc32(sum, next, lengthOf(part)), 0);
  }

  return {
    path,
    sizeBytes: size,
    stream,
    fill: (buffer, offset) => fill(buffer, file, path, offset),
    read: (offset, lengthBytes) => fill(Buffer.allocUnsafe(lengthBytes), file, path, offset),
    async sha256() {
      if (digest === undefined) for await (const _ of stream());
      return digest as unknown as string;
    },
    async crc32(other) {
      if (isNear && other) return crc32Text(await shared(other));
      let sum = 0;
      for await (const chunk of chunks(() => {})) sum = crc32(chunk, sum);
      return crc32Text(sum);
    },
    close: () => file.close(),
  };
}

/** File systems, by their device, that were found to have no use for O_DIRECT. */
const buffered = new Set<number>();

/** Some file systems refuse O_DIRECT at open, others only at a read that is not aligned: both mean "buffered". */
async function openDirect(path: string, device: number): Promise<FileHandle | undefined> {
  if (constants.O_DIRECT === undefined || buffered.has(device)) return undefined;
  const file = await open(path, constants.O_RDONLY | constants.O_DIRECT).catch(refused);
  if (!file) {
    buffered.add(device);
    return undefined;
  }
  try {
    await file.read(Buffer.alloc(3), 0, 3, 0);
    return file;
  } catch (error) {
    await file.close();
    // A disk that cannot read this one file says nothing of the others.
    refused(error as NodeJS.ErrnoException);
    buffered.add(device);
    return undefined;
  }
}

const refused = ignore("EINVAL", "ENOTSUP", "EOPNOTSUPP");

async function fill(buffer: Buffer, file: FileHandle, path: string, offset: number, isNear = false): Promise<Buffer> {
  for (let done = 0; done < buffer.length; ) {
    const { length } = buffer;
    const bytesRead = isNear
      ? readSync(file.fd, buffer, done, length - done, offset + done)
      : (await file.read(buffer, done, length - done, offset + done)).bytesRead;
    if (bytesRead === 0) {
      throw new Failure(
        "backup_damaged",
        `Cannot read "${path}": ${buffer.length} bytes are wanted at ${offset}, only ${done} are there`,
      );
    }
    done += bytesRead;
  }
  return buffer;
}
