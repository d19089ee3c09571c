import { open } from "node:fs/promises";
import type { SmallFileHandle } from "../files.ts";

/** All of them fit into the cache of a processor: twice as large, a copy takes a fifth longer. */
const chunkBytes = 1 << 18;
/** One that the consumer works on, one that it may still write, one that is being read. */
const buffers = 3;

/**
 * The content of an open file from its beginning, read ahead by one chunk. A chunk is overwritten when the second one
 * after it is asked for: buffers are used again, so that memory stays flat.
 * @param sizeBytes Where to end; a file that is shorter ends earlier.
 */
export async function* chunksOf(
  file: Pick<SmallFileHandle, "read">,
  sizeBytes = Number.POSITIVE_INFINITY,
): AsyncGenerator<Buffer> {
  const ring = Array.from({ length: buffers }, () => Buffer.allocUnsafeSlow(Math.min(chunkBytes, sizeBytes)));
  let offset = 0;
  const read = async (turn: number) => {
    const buffer = ring[turn % buffers] as Buffer;
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, sizeBytes - offset), offset);
    offset += bytesRead;
    return buffer.subarray(0, bytesRead);
  };
  let next = read(0);
  try {
    for (let turn = 1; ; turn += 1) {
      const chunk = await next;
      if (chunk.length === 0) return;
      next = read(turn);
      yield chunk;
    }
  } finally {
    // Whoever stops early closes the file next: nothing may be reading it then.
    await next.catch(() => {});
  }
}

/** The content of a file, or bytes that are at hand. As `chunksOf`. */
export async function* contentOf(from: string | Uint8Array): AsyncGenerator<Uint8Array> {
  if (typeof from !== "string") {
    yield from;
    return;
  }
  const file = await open(from);
  try {
    yield* chunksOf(file);
  } finally {
    await file.close();
  }
}
