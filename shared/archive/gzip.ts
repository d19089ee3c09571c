import { availableParallelism } from "node:os";
import { crc32 } from "node:zlib";
import { type BlockBuffers, blockBuffers, deflateBlock } from "./deflate-block.ts";
import { emptyFinalBlock, maxBlockBytes, memberHeader, memberTrailer } from "./gzip-format.ts";
import { inOrder } from "./in-order.ts";
import { freeWhole } from "./whole.ts";

export { gunzipBlocks } from "./gunzip.ts";

export interface GzipOptions {
  /** Of zlib, 0 to 9, for what deserves it. */
  level?: number;
  /** How much is deflated at a time; at most `maxBlockBytes`. */
  blockBytes?: number;
  /** Blocks deflated at the same time. Fewer than the 4 threads that zlib shares with files, or reading waits. */
  concurrency?: number;
  /** Told in order; a header of 10 bytes stands before the first block, 10 bytes follow the last. */
  onBlock?: (compressedBytes: number) => void;
  signal?: AbortSignal;
}

/** Filled, and deflated or being so, while what was deflated is written. */
const blocksAhead = 3;

/**
 * One gzip member with neither name nor time, its blocks deflated independently, in parallel: any tool reads it, and
 * `gunzipBlocks` reads it in parallel. The same bytes and options give the same result with the same zlib.
 * Chunks of `bytes` are copied before the next is asked for. What it yields is valid until the next is asked for.
 * Ends, in whichever way, only after all work under way has ended and `bytes` is closed.
 */
export async function* gzipBlocks(bytes: AsyncIterable<Uint8Array>, options: GzipOptions = {}): AsyncGenerator<Buffer> {
  const { level = 5, blockBytes = 1 << 20, onBlock, signal } = options;
  const concurrency = options.concurrency ?? Math.min(availableParallelism(), 3);
  if (!(blockBytes >= 1 && blockBytes <= maxBlockBytes)) {
    throw new RangeError(`Cannot deflate: blocks of 1 to ${maxBlockBytes} bytes are wanted, is ${blockBytes}`);
  }
  const free: Slot[] = [];
  const pooled = limited(concurrency);
  let crc = 0;
  let sizeBytes = 0;

  const fill = async function* (): AsyncGenerator<Slot> {
    let slot: Slot | undefined;
    for await (const chunk of bytes) {
      signal?.throwIfAborted();
      for (let done = 0; done < chunk.byteLength; ) {
        slot ??= free.pop() ?? newSlot(blockBytes);
        const part = chunk.subarray(done, done + blockBytes - slot.filled);
        slot.block.set(part, slot.filled);
        slot.filled += part.byteLength;
        done += part.byteLength;
        if (slot.filled < blockBytes) continue;
        yield slot;
        slot = undefined;
      }
    }
    if (slot) yield slot;
  };
  const deflate = async (slot: Slot) => {
    signal?.throwIfAborted();
    const block = slot.block.subarray(0, slot.filled);
    crc = crc32(block, crc);
    sizeBytes += block.length;
    return { slot, result: await deflateBlock(block, level, slot.buffers, pooled) };
  };

  yield Buffer.from(memberHeader);
  for await (const { slot, result } of inOrder(fill(), deflate, concurrency + blocksAhead)) {
    signal?.throwIfAborted();
    yield result;
    onBlock?.(result.length);
    if (result.buffer !== slot.buffers.stored.buffer) freeWhole(result);
    slot.filled = 0;
    free.push(slot);
  }
  signal?.throwIfAborted();
  yield Buffer.concat([emptyFinalBlock, memberTrailer(crc, sizeBytes)]);
}

interface Slot {
  readonly block: Buffer;
  readonly buffers: BlockBuffers;
  filled: number;
}

const newSlot = (blockBytes: number): Slot => ({
  block: Buffer.allocUnsafeSlow(blockBytes),
  buffers: blockBuffers(blockBytes),
  filled: 0,
});

/** Runs at most `count` works at a time, in the order in which they came. */
export function limited(count: number) {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running === count) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
