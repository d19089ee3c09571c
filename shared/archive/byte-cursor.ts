/** Reads a stream of bytes in parts of the reader's own choice, copying nothing that lies in one chunk. */
export class ByteCursor {
  /** Of the next byte. */
  offset = 0;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Buffer = empty;
  #ended = false;

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.#chunks = bytes[Symbol.asyncIterator]();
  }

  /**
   * What is at hand, at least one byte and at most `maxBytes`; undefined at the end.
   * A view, valid until the next call: the stream's owner may use its buffers again.
   */
  async some(maxBytes = Number.POSITIVE_INFINITY): Promise<Buffer | undefined> {
    if (this.#chunk.length === 0 && !(await this.#pull())) return undefined;
    const part = this.#chunk.length <= maxBytes ? this.#chunk : this.#chunk.subarray(0, maxBytes);
    this.#chunk = this.#chunk.subarray(part.length);
    this.offset += part.length;
    return part;
  }

  /**
   * Exactly `lengthBytes`, or the fewer that are left. A view, as above, unless it lies across chunks.
   * @param memory Of that length, or more; asked for when it lies across chunks.
   */
  async take(lengthBytes: number, memory: (lengthBytes: number) => Buffer = Buffer.allocUnsafe): Promise<Buffer> {
    if (this.#chunk.length === 0 && lengthBytes > 0) await this.#pull();
    if (this.#chunk.length >= lengthBytes) return (await this.some(lengthBytes)) ?? empty;
    const taken = memory(lengthBytes).subarray(0, lengthBytes);
    return taken.subarray(0, await this.fill(taken));
  }

  /** Fills a buffer of the caller's. @returns How many bytes there were. */
  async fill(buffer: Uint8Array): Promise<number> {
    let done = 0;
    while (done < buffer.length) {
      const part = await this.some(buffer.length - done);
      if (!part) break;
      // Not by `set`, which takes longer where memory is shared with another thread.
      part.copy(buffer, done);
      done += part.length;
    }
    return done;
  }

  /** Gives back the end of what `some` has just given. */
  giveBack(part: Buffer): void {
    // Nothing else was asked for since, so what is at hand follows it in the same chunk.
    this.#chunk = Buffer.from(part.buffer, part.byteOffset, part.length + this.#chunk.length);
    this.offset -= part.length;
  }

  /** Lets go of the stream, read to its end or not. */
  async close(): Promise<void> {
    this.#chunk = empty;
    if (this.#ended) return;
    this.#ended = true;
    await this.#chunks.return?.();
  }

  async #pull(): Promise<boolean> {
    while (!this.#ended) {
      const { done, value } = await this.#chunks.next();
      if (done) this.#ended = true;
      else if (value.byteLength > 0) {
        this.#chunk = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
        return true;
      }
    }
    return false;
  }
}

const empty = Buffer.alloc(0);
