import { availableParallelism } from "node:os";
import { crc32 } from "node:zlib";
import { deflateBlock, scratchBytes } from "./deflate-block.ts";
import { emptyFinalBlock, maxBlockBytes, memberHeader, memberTrailer } from "./gzip-format.ts";
import { inOrder } from "./in-order.ts";
import { proveBlock } from "./inflate-block.ts";
import { freeWhole } from "./whole.ts";

export { chunksOfBlocks, gunzipBlocks } from "./gunzip.ts";

export interface GzipOptions {
  /** Of zlib, 0 to 9, for what deserves it. */
  level?: number;
  /** How much is deflated at a time; at most `maxBlockBytes`. */
  blockBytes?: number;
  /** Blocks deflated at the same time. Fewer than the 4 threads that zlib shares with files, or reading waits. */
  concurrency?: number;
  /** Inflates each block again before it is given on, and compares it with what it was made of. */
  proven?: boolean;
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
 * @throws {Failure} `internal` when it was to be proven, and is not sound.
 */
export async function* gzipBlocks(bytes: AsyncIterable<Uint8Array>, options: GzipOptions = {}): AsyncGenerator<Buffer> {
  const { level = 5, blockBytes = 1 << 20, onBlock, signal } = options;
  const concurrency = options.concurrency ?? Math.min(availableParallelism(), 3);
  if (!(blockBytes >= 1 && blockBytes <= maxBlockBytes)) {
    throw new RangeError(`Cannot deflate: blocks of 1 to ${maxBlockBytes} bytes are wanted, is ${blockBytes}`);
  }
  const pooled = limited(concurrency);
  const free: Buffer[] = [];
  const take = () => free.pop() ?? Buffer.allocUnsafeSlow(scratchBytes(blockBytes));
  let crc = 0;
  let sizeBytes = 0;

  const blocks = async function* (): AsyncGenerator<Buffer> {
    let block: Buffer | undefined;
    let filled = 0;
    for await (const chunk of bytes) {
      signal?.throwIfAborted();
      for (let done = 0; done < chunk.byteLength; ) {
        block ??= take();
        const part = chunk.subarray(done, done + blockBytes - filled);
        block.set(part, filled);
        filled += part.byteLength;
        done += part.byteLength;
        if (filled < blockBytes) continue;
        yield block.subarray(0, filled);
        block = undefined;
        filled = 0;
      }
    }
    if (block) yield block.subarray(0, filled);
  };
  const deflate = (block: Buffer) => {
    crc = crc32(block, crc);
    sizeBytes += block.length;
    return pooled(async () => {
      signal?.throwIfAborted();
      const scratch = take();
      const result = await deflateBlock(block, level, scratch);
      if (options.proven) {
        const spare = take();
        await proveBlock(result, block, spare);
        free.push(spare);
      }
      free.push(wholeOf(block));
      if (result.buffer === scratch.buffer) return { result, done: () => void free.push(scratch) };
      free.push(scratch);
      return { result, done: () => freeWhole(result) };
    });
  };

  yield Buffer.from(memberHeader);
  for await (const { result, done } of inOrder(blocks(), deflate, concurrency + blocksAhead)) {
    signal?.throwIfAborted();
    yield result;
    onBlock?.(result.length);
    done();
  }
  signal?.throwIfAborted();
  yield Buffer.concat([emptyFinalBlock, memberTrailer(crc, sizeBytes)]);
}

const wholeOf = ({ buffer }: Buffer) => Buffer.from(buffer);

/** Runs at most `count` works at a time, in the order in which they came. */
function limited(count: number) {
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
