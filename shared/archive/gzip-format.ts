/*
 * RFC 1952: a member is a header, deflated data (RFC 1951), the CRC-32 and the length (modulo 2^32) of what was deflated.
 * A block of ours is deflated on its own and ends at a whole byte, so blocks stand one after another; the last one is
 * followed by an empty final block.
 */

/** No name, no time, no extra field; operating system unknown: equal content gives equal bytes. */
export const memberHeader = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

/** A final block with nothing in it, in fixed codes. */
export const emptyFinalBlock = Buffer.from([0x03, 0x00]);

export const trailerBytes = 8;

export function memberTrailer(crc: number, sizeBytes: number): Buffer {
  const trailer = Buffer.allocUnsafe(trailerBytes);
  trailer.writeUInt32LE(crc >>> 0, 0);
  trailer.writeUInt32LE(sizeBytes % 2 ** 32, 4);
  return trailer;
}

/** What a block may hold at most, deflated or not: it bounds the memory that a hostile index of blocks can ask for. */
export const maxBlockBytes = 4 << 20;

/** Bytes that deflate cannot make smaller become at most this much larger. */
export const stored = { maxBytes: 0xffff, headerBytes: 5 } as const;
