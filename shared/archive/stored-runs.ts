import { stored } from "./gzip-format.ts";

/** A shorter run of zeros costs more than it saves. */
const shortestRun = 64;
const zeros = Buffer.alloc(shortestRun);
const longestMatch = 258;
const shortestMatch = 3;

/** What `storeWithRuns` needs at most. Runs never make it longer: each is longer than its code and the header after it. */
export const storedBound = (lengthBytes: number) =>
  lengthBytes + stored.headerBytes * (Math.ceil(lengthBytes / stored.maxBytes) + 1) + 16;

/**
 * Deflated data at the speed of a copy, for bytes that are random but for runs of zeros, as in files of sectors that
 * hold compressed data: what is random is stored, a run becomes a literal zero and matches of distance 1.
 * @returns How many bytes of `target` it has filled; they end at a whole byte, and the last block is not final.
 */
export function storeWithRuns(source: Buffer, target: Buffer): number {
  let at = 0;
  for (let from = 0; from < source.length; ) {
    const found = source.indexOf(zeros, from);
    const runStart = found < 0 ? source.length : found;
    for (let begin = from; begin < runStart; begin += stored.maxBytes) {
      const end = Math.min(begin + stored.maxBytes, runStart);
      const length = end - begin;
      target[at] = 0;
      target[at + 1] = length & 0xff;
      target[at + 2] = length >> 8;
      target[at + 3] = ~length & 0xff;
      target[at + 4] = (~length >> 8) & 0xff;
      source.copy(target, at + stored.headerBytes, begin, end);
      at += stored.headerBytes + length;
    }
    from = runStart;
    if (found >= 0) {
      from = endOfRun(source, found);
      at = putRun(target, at, from - found);
    }
  }
  return at;
}

function endOfRun(source: Buffer, from: number): number {
  let end = from + shortestRun;
  while (end < source.length && source[end] === 0) end += 1;
  return end;
}

/** One block in fixed codes for a run of zeros, then an empty stored block, which ends at a whole byte. */
function putRun(target: Buffer, start: number, length: number): number {
  let at = start;
  let bits = 0;
  let count = 0;
  const put = ([value, width]: Code) => {
    bits |= value << count;
    count += width;
    for (; count >= 8; count -= 8) {
      target[at++] = bits & 0xff;
      bits >>>= 8;
    }
  };
  put(fixedCodes);
  put(literalZero);
  let left = length - 1;
  for (; left >= longestMatch; left -= longestMatch) put(matches[longestMatch] as Code);
  if (left >= shortestMatch) put(matches[left] as Code);
  else for (; left > 0; left -= 1) put(literalZero);
  put(endOfBlock);
  put([0, 3]);
  if (count > 0) put([0, 8 - count]);
  target.writeUInt32LE(0xffff0000, at);
  return at + 4;
}

/** Bits in the order in which they are sent, the lowest first, and how many. */
type Code = readonly [value: number, width: number];

const fixedCodes: Code = [0b010, 3];
const literalZero: Code = [reversed(0x30, 8), 8];
const endOfBlock: Code = [0, 7];

/** By length: its code, its extra bits, and the code of distance 1. RFC 1951, 3.2.5 and 3.2.6. */
const matches: Code[] = [];
for (let symbol = 257, base = shortestMatch; symbol < 285; symbol += 1) {
  const extraBits = symbol < 265 ? 0 : (symbol - 261) >> 2;
  const [code, width] = symbol < 280 ? [reversed(symbol - 256, 7), 7] : [reversed(0xc0 + symbol - 280, 8), 8];
  for (let extra = 0; extra < 1 << extraBits; extra += 1, base += 1) {
    matches[base] = [code | (extra << width), width + extraBits + 5];
  }
}
matches[longestMatch] = [reversed(0xc5, 8), 8 + 5];

function reversed(value: number, width: number): number {
  let result = 0;
  for (let bit = 0; bit < width; bit += 1) result |= ((value >> bit) & 1) << (width - 1 - bit);
  return result;
}
