import { constants, createDeflateRaw, type ZlibOptions } from "node:zlib";
import { storedBound, storeWithRuns } from "./stored-runs.ts";
import { freeWhole, whole } from "./whole.ts";

/** Ends a block of ours at a whole byte, with a marker that zlib's own tools know (`Z_SYNC_FLUSH`). */
const finishFlush = constants.Z_SYNC_FLUSH;
const memLevel = 9;

/** Two pieces of a block stand for all of it. */
const sampleBytes = 32 << 10;
/** Bits in a byte that is not zero, from which on deflate's codes gain less than two in a hundred. */
const randomBits = 7.85;

export interface BlockBuffers {
  readonly sample: Buffer;
  readonly stored: Buffer;
}

/** What `deflateBlock` needs for blocks of up to `blockBytes`; may be used again once its result was used. */
export const blockBuffers = (blockBytes: number): BlockBuffers => ({
  sample: Buffer.allocUnsafeSlow(Math.min(sampleBytes, blockBytes)),
  stored: Buffer.allocUnsafeSlow(storedBound(blockBytes)),
});

/**
 * Deflates a block on its own, in the way that suits it, found by trying on a sample: stored but for runs of zeros when
 * the rest looks random, run lengths only (`Z_RLE`) when looking for matches gains nothing, else `level`.
 * The same block gives the same bytes. They end at a whole byte; the last block is not final.
 * @param pooled Runs a call of zlib; the caller bounds how many run at a time.
 */
export async function deflateBlock(
  block: Buffer,
  level: number,
  buffers: BlockBuffers,
  pooled: <T>(work: () => Promise<T>) => Promise<T>,
): Promise<Buffer> {
  const stored = () => buffers.stored.subarray(0, storeWithRuns(block, buffers.stored));
  if (level === 0) return stored();
  const sample = takeSample(block, buffers.sample);
  if (bitsPerByte(sample) >= randomBits) {
    const storedSize = storeWithRuns(sample, buffers.stored);
    if (storedSize <= (await pooled(() => deflatedSize(sample, { level: 1 }))) * 1.03) return stored();
  }
  const best = await pooled(() => better(sample, level));
  const result = await pooled(() => deflated(block, best));
  if (result.length <= block.length) return result;
  freeWhole(result);
  return stored();
}

async function better(sample: Buffer, level: number): Promise<ZlibOptions> {
  const runs = { level, strategy: constants.Z_RLE };
  const matches = { level };
  const withRuns = await deflatedSize(sample, runs);
  const withMatches = await deflatedSize(sample, matches);
  return withRuns <= withMatches ? runs : matches;
}

async function deflatedSize(bytes: Buffer, options: ZlibOptions): Promise<number> {
  const result = await deflated(bytes, options);
  const { length } = result;
  freeWhole(result);
  return length;
}

function deflated(bytes: Buffer, options: ZlibOptions): Promise<Buffer> {
  // Its result lies in one chunk then, which is not copied.
  const chunkSize = bytes.length + (bytes.length >> 8) + 256;
  return whole(createDeflateRaw({ ...options, memLevel, chunkSize, finishFlush }), bytes, Number.POSITIVE_INFINITY);
}

function takeSample(block: Buffer, sample: Buffer): Buffer {
  if (block.length <= sample.length) return block;
  const half = sample.length >> 1;
  block.copy(sample, 0, block.length >> 2);
  block.copy(sample, half, (block.length >> 2) * 3, (block.length >> 2) * 3 + half);
  return sample;
}

/** The entropy of the bytes that are not zero, each by itself; 0 when there are none. */
function bitsPerByte(bytes: Buffer): number {
  const counts = new Uint32Array(256);
  for (let at = 0; at < bytes.length; at += 1) (counts[bytes[at] as number] as number) += 1;
  let total = 0;
  let sum = 0;
  for (let value = 1; value < 256; value += 1) {
    const count = counts[value] as number;
    if (count === 0) continue;
    total += count;
    sum += count * Math.log2(count);
  }
  return total === 0 ? 0 : Math.log2(total) - sum / total;
}
