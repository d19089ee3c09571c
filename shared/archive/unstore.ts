import { stored } from "./gzip-format.ts";

/**
 * Inflates what `storeWithRuns` writes, at the speed of a copy and into memory of the caller's, where zlib takes a
 * thread and new memory for each block: stored blocks, and runs of one zero and matches of distance 1 in fixed codes.
 * @returns How many bytes of `target` it has filled; undefined for anything else, and for what is larger: zlib judges.
 */
export function unstore(source: Buffer, target: Buffer): number | undefined {
  const bits = new Bits(source);
  let at = 0;
  while (bits.at < source.length) {
    if (source[bits.at] === 0) {
      const begin = bits.at + stored.headerBytes;
      if (begin > source.length) return undefined;
      const length = source.readUInt16LE(bits.at + 1);
      const end = begin + length;
      if (source.readUInt16LE(bits.at + 3) !== (~length & 0xffff)) return undefined;
      if (end > source.length || at + length > target.length) return undefined;
      source.copy(target, at, begin, end);
      at += length;
      bits.at = end;
    } else {
      const length = runOf(bits);
      if (length === undefined || at + length > target.length) return undefined;
      // By copying: to fill memory that is shared takes ten times as long.
      for (const end = at + length; at < end; ) at += zeros.copy(target, at, 0, end - at);
    }
  }
  return at;
}

const zeros = Buffer.alloc(1 << 14);

/** The length of the run that begins here, which ends with an empty stored block; undefined when it is something else. */
function runOf(bits: Bits): number | undefined {
  if (bits.take(3) !== 0b010) return undefined;
  let length = 0;
  for (;;) {
    const code = codes[bits.peek()];
    if (!code) return undefined;
    bits.take(code.width);
    if (code.kind === "end") break;
    length += code.length + bits.take(code.extraBits);
    // A match repeats what is before it: the zero.
    if (code.kind === "zero") continue;
    if (length === code.length || bits.take(5) !== 0) return undefined;
  }
  if (bits.take(3) !== 0 || !bits.endByte()) return undefined;
  const emptyStored = bits.at + 4 <= bits.source.length && bits.source.readUInt32LE(bits.at) === 0xffff0000;
  bits.at += 4;
  return emptyStored ? length : undefined;
}

interface Code {
  readonly kind: "end" | "zero" | "match";
  readonly width: number;
  /** The least. */
  readonly length: number;
  readonly extraBits: number;
}

/** By the next eight bits, the first one the lowest. RFC 1951, 3.2.5 and 3.2.6. */
const codes: (Code | undefined)[] = new Array(256);
const put = (code: number, width: number, is: Omit<Code, "width">) => {
  let low = 0;
  for (let bit = 0; bit < width; bit += 1) low |= ((code >> (width - 1 - bit)) & 1) << bit;
  for (let high = 0; high < 256; high += 1 << width) codes[low | high] = { ...is, width };
};
put(0x30, 8, { kind: "zero", length: 1, extraBits: 0 });
put(0, 7, { kind: "end", length: 0, extraBits: 0 });
for (let symbol = 257, length = 3; symbol < 285; symbol += 1) {
  const extraBits = symbol < 265 ? 0 : (symbol - 261) >> 2;
  const [code, width] = symbol < 280 ? [symbol - 256, 7] : [0xc0 + symbol - 280, 8];
  put(code, width, { kind: "match", length, extraBits });
  length += 1 << extraBits;
}
put(0xc5, 8, { kind: "match", length: 258, extraBits: 0 });

/** Bits in the order in which they are sent; zeros after the end of the source. */
class Bits {
  /** The byte that the next bit is in. */
  at = 0;
  readonly source: Buffer;
  #bit = 0;

  constructor(source: Buffer) {
    this.source = source;
  }

  peek(): number {
    const two = (this.source[this.at] ?? 0) | ((this.source[this.at + 1] ?? 0) << 8);
    return (two >> this.#bit) & 0xff;
  }

  take(count: number): number {
    const value = this.peek() & ((1 << count) - 1);
    this.#bit += count;
    this.at += this.#bit >> 3;
    this.#bit &= 7;
    return value;
  }

  /** Goes on at a whole byte. @returns Whether nothing but zeros was left out. */
  endByte(): boolean {
    return this.#bit === 0 || this.take(8 - this.#bit) === 0;
  }
}
