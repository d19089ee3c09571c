import type { DeflateRaw, InflateRaw } from "node:zlib";

/**
 * Runs the whole input through a fresh engine of zlib. Unlike zlib's own functions for that, it lets nobody else see
 * the memory that the result lies in, so that `freeWhole` can give it back.
 * @returns Copied only when it is larger than the engine's `chunkSize`.
 * @throws What zlib finds wrong; `RangeError` when the result is larger than `maxBytes`.
 */
export function whole(engine: DeflateRaw | InflateRaw, input: Buffer, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let sizeBytes = 0;
    engine.on("data", (part: Buffer) => {
      parts.push(part);
      sizeBytes += part.length;
      if (sizeBytes > maxBytes) engine.destroy(new RangeError(`At most ${maxBytes} bytes are wanted, there are more`));
    });
    engine.on("error", reject);
    engine.on("end", () => {
      const [first] = parts;
      if (first === undefined) return resolve(Buffer.alloc(0));
      const isOne = parts.every(({ buffer }) => buffer === first.buffer);
      resolve(isOne ? Buffer.from(first.buffer, first.byteOffset, sizeBytes) : Buffer.concat(parts));
    });
    engine.end(input);
  });
}

/**
 * Gives the memory of a result back at once; whoever still holds it finds it empty. Left to the collector, 60 MB pile up
 * before it looks at them, and each new one costs the page faults of new memory.
 */
export function freeWhole({ buffer }: Buffer): void {
  // What is small lies with others in Node's pool.
  if (buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize) buffer.transfer(0);
}
