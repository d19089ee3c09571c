/** Blocks of memory that are used again: each once nobody holds it any more. */
export class Blocks {
  static readonly blockBytes = 1 << 20;
  readonly #isShared: boolean;
  readonly #free: Buffer[] = [];
  readonly #holders = new Map<ArrayBufferLike, number>();

  /** @param options.shared Whether other threads see them too, so that nothing is copied on its way there. To fill such memory takes longer. */
  constructor({ shared = false }: { shared?: boolean } = {}) {
    this.#isShared = shared;
  }

  /** A block that the caller holds. */
  take(): Buffer {
    const block = this.#free.pop() ?? this.#make();
    this.#holders.set(block.buffer, 1);
    return block;
  }

  /** Whether a part lies in a block that somebody holds. */
  has({ buffer }: Uint8Array): boolean {
    return this.#holders.has(buffer);
  }

  /** Holds, once more, the block that a part lies in: what is in it stays until all have let go of it. */
  hold({ buffer }: Uint8Array): void {
    this.#holders.set(buffer, this.#holdersOf(buffer) + 1);
  }

  release({ buffer }: Uint8Array): void {
    const left = this.#holdersOf(buffer) - 1;
    if (left > 0) {
      this.#holders.set(buffer, left);
    } else {
      this.#holders.delete(buffer);
      this.#free.push(Buffer.from(buffer));
    }
  }

  #holdersOf(buffer: ArrayBufferLike): number {
    const holders = this.#holders.get(buffer);
    if (holders === undefined) throw new Error("Cannot hold or release a block: one that somebody holds is wanted");
    return holders;
  }

  #make(): Buffer {
    if (this.#isShared) return Buffer.from(new SharedArrayBuffer(Blocks.blockBytes));
    return Buffer.allocUnsafeSlow(Blocks.blockBytes);
  }
}
