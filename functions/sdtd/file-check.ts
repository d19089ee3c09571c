/** Looks at a file while its bytes pass by, in order. Pieces may be overwritten once `update` has returned. */
export interface FileCheck {
  update(piece: Buffer): void;
  /** @returns Why the file is damaged; undefined when it is not. */
  end(): string | undefined;
}

/** The first and the last bytes of a file that passes by. */
export class FileEnds {
  readonly #headBytes: number;
  readonly #tailBytes: number;
  #head = Buffer.alloc(0);
  #tail = Buffer.alloc(0);
  #sizeBytes = 0;

  constructor(headBytes: number, tailBytes: number) {
    this.#headBytes = headBytes;
    this.#tailBytes = tailBytes;
  }

  update(piece: Buffer): void {
    const missing = this.#headBytes - this.#head.length;
    if (missing > 0) this.#head = Buffer.concat([this.#head, piece.subarray(0, missing)]);
    if (this.#tailBytes > 0) {
      const last = piece.subarray(Math.max(0, piece.length - this.#tailBytes));
      const kept = Math.min(this.#tail.length, this.#tailBytes - last.length);
      this.#tail = Buffer.concat([this.#tail.subarray(this.#tail.length - kept), last]);
    }
    this.#sizeBytes += piece.length;
  }

  get head(): Buffer {
    return this.#head;
  }

  get tail(): Buffer {
    return this.#tail;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }
}

/** A file that begins with these bytes. */
export class MagicCheck implements FileCheck {
  readonly #magic: string;
  readonly #ends: FileEnds;

  constructor(magic: string) {
    this.#magic = magic;
    this.#ends = new FileEnds(magic.length, 0);
  }

  update(piece: Buffer): void {
    this.#ends.update(piece);
  }

  end(): string | undefined {
    return wrongMagic(this.#ends.head, this.#magic);
  }
}

export function wrongMagic(head: Buffer, magic: string): string | undefined {
  const found = head.subarray(0, magic.length);
  if (found.equals(Buffer.from(magic, "latin1"))) return undefined;
  return found.length === 0
    ? "it is empty"
    : `it begins with ${found.toString("hex")} and not with "${magic.replaceAll("\0", "\\0")}"`;
}
