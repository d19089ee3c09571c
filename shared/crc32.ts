/** The reversed polynomial of CRC-32, as of gzip: RFC 1952, 8. */
const polynomial = 0xedb88320;
/** The polynomial 1: the highest power stands in the lowest bit. */
const one = 0x80000000;

/** The product of two polynomials, modulo the one of CRC-32. */
function times(a: number, b: number): number {
  let product = 0;
  for (let bit = one, shifted = b; bit !== 0; bit >>>= 1) {
    if (a & bit) product ^= shifted;
    shifted = shifted & 1 ? (shifted >>> 1) ^ polynomial : shifted >>> 1;
  }
  return product >>> 0;
}

/**
 * The CRC-32 of two pieces in a row, from that of each: so that two threads can read one file. Moving a sum over `n`
 * bytes multiplies it by x to the power of 8n.
 */
export function joinCrc32(first: number, second: number, secondBytes: number): number {
  let moved = first;
  let power = times(one >>> 4, one >>> 4);
  for (let left = secondBytes; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) moved = times(power, moved);
    power = times(power, power);
  }
  return (moved ^ second) >>> 0;
}

/** As manifests have it. */
export const crc32Text = (sum: number) => sum.toString(16).padStart(8, "0");
