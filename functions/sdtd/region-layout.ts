/*
 * Region files, known from code of the game that others have published and from what they have measured on saves of
 * 3.1, little endian. `*.7rg` holds 32 × 32 chunks; a slot is u16 sector, u8 unused, u8 count of sectors of 4096 bytes,
 * and is free when one of them is 0:
 *   version 1 and newer   "7rg", u8 version; slots at 4096, times at 8192, chunks from sector 3 on. At sector × 4096:
 *                         i32 length, 12 bytes, then so many bytes: "ttc\0", u32 version, a raw deflate stream.
 *                         Its sectors are written to their end.
 *   version 0             "7rg", 0; slots at 4, times at 4100. At sector × 4096 + 4: i32 length, a byte, the chunk.
 * `*.7rr` (consoles) holds 8 × 8 chunks: "7rr", i32 version, i32 padding; at 11 slots of i32 offset, i32 length; times
 * at 523; from 779 on, at the offset: i32 length, the chunk.
 * Of the last two no file was to be had: only that the chunks lie inside the file is looked at.
 */

/** A chunk of a region file, as the table says. */
export interface Slot {
  readonly index: number;
  /** Where it begins, and where its room ends, in bytes of the file. */
  readonly start: number;
  readonly limit: number;
  /** How many bytes say how long the chunk is. */
  readonly headBytes: number;
  /**
   * @returns How many bytes from its beginning to its end, which are a deflate stream from the head on; or only where
   * it ends in the file; or why it is damaged.
   */
  read(head: Buffer): { wholeBytes: number } | { endsAt: number } | string;
}

export interface RegionLayout {
  readonly headerBytes: number;
  readonly slots: readonly Slot[];
}

const sectorBytes = 4096;

/**
 * @param header The first bytes: four tell how many the header has, so many give its slots.
 * @returns Why it is no region file, when it is none.
 */
export function regionLayout(header: Buffer): RegionLayout | string {
  const magic = header.toString("latin1", 0, 3);
  const version = header[3] ?? 0;
  if (magic === "7rg") return version >= 1 ? sectors(header) : firstSectors(header);
  if (magic === "7rr") return raw(header);
  return `it begins with ${header.toString("hex", 0, 4)} and not with "7rg" or "7rr"`;
}

function sectors(header: Buffer): RegionLayout {
  const headerBytes = 3 * sectorBytes;
  const slots = sectorSlots(header, sectorBytes, headerBytes).map(({ index, sector, count }): Slot => {
    const start = sector * sectorBytes;
    const limit = start + count * sectorBytes;
    return {
      index,
      start,
      limit,
      headBytes: 24,
      read(head) {
        const length = head.readInt32LE(0);
        if (length <= 8 || 16 + length > limit - start) {
          return `its chunk of ${length} bytes does not fit into ${count} sectors`;
        }
        if (head.toString("latin1", 16, 20) === "ttc\0") return { wholeBytes: 16 + length };
        return `its chunk begins with ${head.toString("hex", 16, 20)} and not with "ttc\\0"`;
      },
    };
  });
  return { headerBytes, slots };
}

function firstSectors(header: Buffer): RegionLayout {
  const headerBytes = 4 + 2 * sectorBytes;
  const slots = sectorSlots(header, 4, headerBytes).map(({ index, sector }) =>
    shortSlot(index, sector * sectorBytes + 4, 5),
  );
  return { headerBytes, slots };
}

function raw(header: Buffer): RegionLayout {
  const headerBytes = 779;
  if (header.length < headerBytes) return { headerBytes, slots: [] };
  const slots = Array.from({ length: 64 }, (_, index) => ({ index, start: header.readInt32LE(11 + 8 * index) }))
    .filter(({ start }) => start !== 0)
    .map(({ index, start }) => shortSlot(index, start, 4));
  return { headerBytes, slots };
}

/** Only that it ends inside the file is looked at. */
function shortSlot(index: number, start: number, headBytes: number): Slot {
  return {
    index,
    start,
    limit: start + headBytes,
    headBytes,
    read(head) {
      const length = head.readInt32LE(0);
      return length > 0 ? { endsAt: start + headBytes + length } : `its chunk has ${length} bytes`;
    },
  };
}

/** Most of the 1024 are free, and there are thousands of files: nothing is made for those. */
function sectorSlots(header: Buffer, at: number, headerBytes: number) {
  const slots: { index: number; sector: number; count: number }[] = [];
  if (header.length < headerBytes) return slots;
  for (let index = 0; index < 1024; index += 1) {
    const count = header[at + 4 * index + 3] as number;
    if (count === 0) continue;
    const sector = header.readUInt16LE(at + 4 * index);
    if (sector > 0) slots.push({ index, sector, count });
  }
  return slots;
}
