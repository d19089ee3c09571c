import { availableParallelism } from "node:os";
import { crc32, createInflateRaw, type InflateRaw } from "node:zlib";
import { Blocks } from "../blocks.ts";
import { Failure } from "../failures.ts";
import { ByteCursor } from "./byte-cursor.ts";
import { emptyFinalBlock, maxBlockBytes, memberHeader, trailerBytes } from "./gzip-format.ts";
import { inOrder } from "./in-order.ts";
import { inflateBlock, withFinalBlock } from "./inflate-block.ts";
import { storedBound } from "./stored-runs.ts";
import { unstore } from "./unstore.ts";
import { freeWhole } from "./whole.ts";

export interface GunzipOptions {
  /**
   * The compressed size of each block, as `gzipBlocks` told: then blocks are inflated in parallel. Quickest with chunks
   * of `chunksOfBlocks`.
   */
  blocks?: readonly number[];
  /** Where stored blocks are inflated to, when there are `blocks`; whoever holds one of these may keep it for longer. */
  memory?: Blocks | undefined;
  /** What all of it may inflate to at most. */
  maxBytes: number;
  /** For messages. */
  name: string;
  signal?: AbortSignal;
}

/**
 * Inflates a gzip stream, of any number of members, and proves it: CRC-32, length, nothing after it. Without `blocks`
 * any stream, one thread at a time; with them only what they describe.
 * Chunks of `bytes` are used up before the next is asked for. What it yields is valid until the next is asked for.
 * @throws {Failure} `backup_damaged`, also when `blocks` is not true of the stream; `backup_hostile` when it inflates
 * to more than `maxBytes`.
 */
export async function* gunzipBlocks(bytes: AsyncIterable<Uint8Array>, options: GunzipOptions): AsyncGenerator<Buffer> {
  const cursor = new ByteCursor(bytes);
  const allowed = allowance(options);
  try {
    await readMemberHeader(cursor, options.name);
    if (options.blocks) {
      yield* checked(inflateSlices(cursor, options.blocks, options), cursor, allowed, options);
      if ((await cursor.take(1)).length > 0)
        throw damaged(options.name, cursor.offset - 1, "its end is wanted, data follows");
      return;
    }
    for (;;) {
      yield* checked(inflateSerially(cursor, options), cursor, allowed, options);
      const more = await cursor.some(1);
      if (!more) return;
      cursor.giveBack(more);
      await readMemberHeader(cursor, options.name);
    }
  } finally {
    await cursor.close();
  }
}

/** The sizes of chunks in which nothing of a stream with such blocks lies across two, as far as they are sane. */
export const chunksOfBlocks = (blocks: readonly number[]): readonly number[] =>
  blocks.every((lengthBytes) => lengthBytes <= usualSliceBytes) ? [memberHeader.length, ...blocks] : [];

const damaged = (name: string, offset: number, why: string, cause?: unknown) =>
  new Failure("backup_damaged", `Cannot inflate "${name}" at byte ${offset}: ${why}`, {
    cause,
    hint: "The file is not what was written. Another restore point is needed, or a copy of this one from elsewhere.",
  });

function allowance({ maxBytes, name }: GunzipOptions) {
  let total = 0;
  return (sizeBytes: number) => {
    total += sizeBytes;
    if (total <= maxBytes) return;
    throw new Failure(
      "backup_hostile",
      `Cannot inflate "${name}": at most ${maxBytes} bytes are wanted, it holds more`,
    );
  };
}

/** Passes on what a member inflates to, then compares it with the member's trailer. */
async function* checked(
  inflated: AsyncGenerator<Buffer>,
  cursor: ByteCursor,
  allowed: (sizeBytes: number) => void,
  { name, signal }: GunzipOptions,
): AsyncGenerator<Buffer> {
  let crc = 0;
  let sizeBytes = 0;
  for await (const part of inflated) {
    signal?.throwIfAborted();
    allowed(part.length);
    crc = crc32(part, crc);
    sizeBytes += part.length;
    yield part;
  }
  const offset = cursor.offset;
  const trailer = await cursor.take(trailerBytes);
  if (trailer.length < trailerBytes) throw damaged(name, offset, "a checksum is wanted, the file ends");
  if (trailer.readUInt32LE(0) !== crc >>> 0)
    throw damaged(name, offset, "its checksum (CRC-32) does not fit its content");
  if (trailer.readUInt32LE(4) !== sizeBytes % 2 ** 32)
    throw damaged(name, offset, "its length does not fit its content");
}

const flags = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;

async function readMemberHeader(cursor: ByteCursor, name: string): Promise<void> {
  const offset = cursor.offset;
  let crc = 0;
  const take = async (lengthBytes: number) => {
    const part = await cursor.take(lengthBytes);
    if (part.length < lengthBytes)
      throw damaged(name, cursor.offset, "the rest of a gzip header is wanted, the file ends");
    crc = crc32(part, crc);
    return part;
  };
  const [a, b, method, flag] = [...(await take(10))] as [number, number, number, number];
  if (a !== 0x1f || b !== 0x8b || method !== 8 || flag & flags.reserved) {
    throw damaged(
      name,
      offset,
      offset === 0 ? "a gzip file is wanted, is something else" : "its end is wanted, data follows",
    );
  }
  if (flag & flags.extra) await take((await take(2)).readUInt16LE());
  for (const text of [flags.name, flags.comment]) {
    if (flag & text) while ((await take(1))[0] !== 0);
  }
  if (flag & flags.headerCrc) {
    const wanted = crc & 0xffff;
    if ((await take(2)).readUInt16LE() !== wanted)
      throw damaged(name, offset, "the checksum of its header does not fit");
  }
}

/** Inflates up to the end of a member's deflated data, and leaves the cursor right behind it. */
async function* inflateSerially(cursor: ByteCursor, { name, signal }: GunzipOptions): AsyncGenerator<Buffer> {
  const start = cursor.offset;
  const inflate = createInflateRaw({ chunkSize: 1 << 18 });
  const feed = async () => {
    for (;;) {
      const before = inflate.bytesWritten;
      const part = await cursor.some();
      if (!part) {
        inflate.end();
        return;
      }
      await written(inflate, part);
      const left = part.length - (inflate.bytesWritten - before);
      if (left > 0) {
        cursor.giveBack(part.subarray(part.length - left));
        return;
      }
    }
  };
  const feeding = feed().catch((error) => {
    if (!inflate.destroyed) inflate.destroy(error);
  });
  try {
    for await (const part of inflate) {
      signal?.throwIfAborted();
      yield part;
    }
  } catch (error) {
    if (!isZlibError(error)) throw error;
    throw damaged(name, start + inflate.bytesWritten, `deflated data is wanted: ${error.message}`, error);
  } finally {
    inflate.destroy();
    await feeding;
  }
}

/** An engine that fails, or is let go of, never calls back. */
function written(inflate: InflateRaw, part: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = () => reject(new Error("closed"));
    inflate.once("close", closed);
    inflate.write(part, (error) => {
      inflate.removeListener("close", closed);
      if (error) reject(error);
      else resolve();
    });
  });
}

const isZlibError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && /^(Z_|ERR_BUFFER_TOO_LARGE)/.test((error as NodeJS.ErrnoException).code ?? "");

interface Slice {
  readonly offset: number;
  /** Until the next is asked for. */
  readonly bytes: Buffer;
}

/** Inflates slices of the stream in parallel; then the cursor is behind the final block that follows them. */
async function* inflateSlices(
  cursor: ByteCursor,
  blocks: readonly number[],
  { name, memory = new Blocks(), signal }: GunzipOptions,
): AsyncGenerator<Buffer> {
  const free: Buffer[] = [];
  let joined: Buffer | undefined;
  const across = (lengthBytes: number) => {
    joined = bufferOf(joined, lengthBytes);
    return joined;
  };
  const notTrue = (offset: number, cause?: unknown) =>
    damaged(name, offset, "its blocks are not those of the index in its manifest", cause);

  const slices = async function* (): AsyncGenerator<Slice> {
    for (const lengthBytes of blocks) {
      signal?.throwIfAborted();
      const offset = cursor.offset;
      if (!(Number.isInteger(lengthBytes) && lengthBytes > 0 && lengthBytes <= storedBound(maxBlockBytes))) {
        throw notTrue(offset);
      }
      const bytes = await cursor.take(lengthBytes, across);
      if (bytes.length < lengthBytes) {
        throw damaged(name, offset + bytes.length, "the rest of a block is wanted, the file ends");
      }
      yield { offset, bytes };
    }
  };
  const inflate = async ({ offset, bytes }: Slice) => {
    const target = memory.take();
    const filled = unstore(bytes, target);
    if (filled !== undefined) return { result: target.subarray(0, filled), done: () => memory.release(target) };
    memory.release(target);
    const scratch = bufferOf(free.pop(), withFinalBlock(bytes.length));
    const { result, leftBytes } = await inflateBlock(bytes, scratch).catch((cause) => {
      throw notTrue(offset, cause);
    });
    free.push(scratch);
    if (leftBytes !== 0) throw notTrue(offset + withFinalBlock(bytes.length) - leftBytes);
    return { result, done: () => freeWhole(result) };
  };
  for await (const { result, done } of inOrder(slices(), inflate, Math.min(availableParallelism(), 3) + 1)) {
    yield result;
    done();
  }
  const offset = cursor.offset;
  if (!emptyFinalBlock.equals(await cursor.take(emptyFinalBlock.length))) throw notTrue(offset);
}

const usualSliceBytes = withFinalBlock(storedBound(Blocks.blockBytes));

/** The buffer, when it is large enough; otherwise a new one. */
const bufferOf = (buffer: Buffer | undefined, wantedBytes: number): Buffer =>
  buffer && buffer.length >= wantedBytes ? buffer : Buffer.allocUnsafeSlow(Math.max(wantedBytes, usualSliceBytes));
