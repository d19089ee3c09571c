/*
 * POSIX.1-1988 ustar and POSIX.1-2001 pax: blocks of 512 bytes. An entry is a header, its content and zeros up to a
 * whole block; two blocks of zeros end the archive.
 */
export const blockBytes = 512;

/** Where a header's fields lie: offset and length. */
export const field = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  prefix: [345, 155],
} as const;

/** How many bytes follow content of this size, up to a whole block. */
export const paddingOf = (sizeBytes: number) => (blockBytes - (sizeBytes % blockBytes)) % blockBytes;

/** The sum of a header's bytes, those of the checksum itself taken as spaces. */
export function headerSum(header: Uint8Array): number {
  const [start, length] = field.checksum;
  let sum = length * 0x20;
  for (let at = 0; at < blockBytes; at += 1) {
    if (at < start || at >= start + length) sum += header[at] as number;
  }
  return sum;
}
