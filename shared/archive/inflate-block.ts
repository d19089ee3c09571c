import { createInflateRaw } from "node:zlib";
import { Blocks } from "../blocks.ts";
import { Failure } from "../failures.ts";
import { emptyFinalBlock, maxBlockBytes } from "./gzip-format.ts";
import { freeWhole, whole } from "./whole.ts";

/** What `inflateBlock` needs of memory beside a block that is this long when it is deflated. */
export const withFinalBlock = (sliceBytes: number) => sliceBytes + emptyFinalBlock.length;

/**
 * Inflates what `deflateBlock` made, on its own: it needs nothing of what came before it, and ends where it ends.
 * @param scratch At least `withFinalBlock` of the slice; in use until the result is there.
 * @returns Memory of zlib's that `freeWhole` gives back, and how much of the slice was not wanted: 0 when it was true.
 * @throws What zlib finds wrong; `RangeError` when it is more than a block can hold.
 */
export async function inflateBlock(slice: Buffer, scratch: Buffer): Promise<{ result: Buffer; leftBytes: number }> {
  const sizeBytes = withFinalBlock(slice.length);
  slice.copy(scratch);
  emptyFinalBlock.copy(scratch, slice.length);
  // More than what a block holds: then the result lies in one chunk, which is not copied.
  const engine = createInflateRaw({ chunkSize: Blocks.blockBytes + 64 });
  const result = await whole(engine, scratch.subarray(0, sizeBytes), maxBlockBytes);
  return { result, leftBytes: sizeBytes - engine.bytesWritten };
}

/**
 * Inflates a slice again and compares it with the block that it was made of.
 * @param scratch As of `inflateBlock`.
 * @throws {Failure} `internal` when it is anything else.
 */
export async function proveBlock(slice: Buffer, block: Buffer, scratch: Buffer): Promise<void> {
  const unsound = (cause?: unknown) =>
    new Failure("internal", "Cannot pack the data: a block of it inflates to something else than it was made of", {
      cause,
      hint: "Nothing was published. The memory of this machine or its zlib damages data: test the memory.",
    });
  const { result, leftBytes } = await inflateBlock(slice, scratch).catch((cause) => {
    throw unsound(cause);
  });
  const isSound = leftBytes === 0 && result.equals(block);
  freeWhole(result);
  if (!isSound) throw unsound();
}
