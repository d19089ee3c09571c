import { constants, createDeflateRaw, type ZlibOptions } from "node:zlib";
import { withFinalBlock } from "./inflate-block.ts";
import { storedBound, storeWithRuns } from "./stored-runs.ts";
import { freeWhole, whole } from "./whole.ts";

/** Ends a block of ours at a whole byte, with a marker that zlib's own tools know (`Z_SYNC_FLUSH`). */
const finishFlush = constants.Z_SYNC_FLUSH;
const memLevel = 9;

/** Two pieces of a block stand for all of it. */
const sampleBytes = 32 << 10;
/** Bits in a byte that is not zero, from which on deflate's codes gain less than two in a hundred. */
const randomBits = 7.85;

/** Of all places, those with bytes that were there before, up to which matches gain as little. */
const fewRepeats = 0.03;
/** From which on run lengths alone are no match for them, as in any text. */
const manyRepeats = 0.25;

/** What `deflateBlock` needs of memory beside a block of up to `blockBytes`, and `proveBlock` after it. */
export const scratchBytes = (blockBytes: number) => Math.max(withFinalBlock(storedBound(blockBytes)), sampleBytes);

/**
 * Deflates a block on its own, in the way that suits it, found by trying on a sample: stored but for runs of zeros when
 * the rest looks random, run lengths only (`Z_RLE`) when looking for matches gains nothing, else `level`.
 * The same block gives the same bytes. They end at a whole byte; the last block is not final.
 * @returns A view of `scratch`, or memory of zlib's that `freeWhole` gives back.
 */
export async function deflateBlock(block: Buffer, level: number, scratch: Buffer): Promise<Buffer> {
  const stored = () => scratch.subarray(0, storeWithRuns(block, scratch));
  if (level === 0) return stored();
  const sample = sampleOf(block, scratch);
  const repeats = repeatsOf(sample) / sample.length;
  if (repeats <= fewRepeats && bitsPerByte(sample) >= randomBits) return stored();
  const result = await deflated(block, repeats >= manyRepeats ? { level } : await better(sample, level));
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

function sampleOf(block: Buffer, scratch: Buffer): Buffer {
  if (block.length <= sampleBytes) return block;
  const quarter = block.length >> 2;
  const half = sampleBytes >> 1;
  block.copy(scratch, 0, quarter, quarter + half);
  block.copy(scratch, half, block.length - quarter - half, block.length - quarter);
  return scratch.subarray(0, sampleBytes);
}

const places = new Uint32Array(1 << 13);

/** Places whose four bytes were there before, but for runs of one byte: what zlib finds matches for, but much quicker. */
function repeatsOf(bytes: Buffer): number {
  places.fill(0);
  let repeats = 0;
  for (let at = 0, before = 0; at < bytes.length; at += 1) {
    const four = ((before << 8) | (bytes[at] as number)) >>> 0;
    const place = Math.imul(four, 0x9e3779b1) >>> 19;
    if (four !== before && places[place] === four) repeats += 1;
    places[place] = four;
    before = four;
  }
  return repeats;
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
