import { type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { i32, noise, u32, u64 } from "./bytes.ts";

const sectorBytes = 4096;

/** A chunk of 16 × 16 blocks, by its place in the world in chunks. */
export interface ChunkAt {
  readonly x: number;
  readonly z: number;
}

/** "ttc", the version, and a deflate stream: place, time of the last save, and blocks that are partly compressible. */
export function chunkBytes(at: ChunkAt, seed: number, time: number, sizeBytes: number): Buffer {
  const head = Buffer.concat([i32(at.x), i32(0), i32(at.z), u64(time)]);
  const rest = Math.max(0, sizeBytes - head.length);
  const blocks = Buffer.alloc(rest, `terrain ${seed}`);
  noise(`chunk ${seed} ${at.x} ${at.z} ${time}`, rest >> 1).copy(blocks);
  return Buffer.concat([
    Buffer.from("ttc\0"),
    u32(47),
    deflateRawSync(Buffer.concat([head, blocks]), { level: 1, memLevel: 9 }),
  ]);
}

export const regionOf = ({ x, z }: ChunkAt) => `r.${Math.floor(x / 32)}.${Math.floor(z / 32)}.7rg`;

/** As the game counts: from the far side where a coordinate is negative. */
function slotOf({ x, z }: ChunkAt): number {
  const part = (value: number) => (value % 32) + (value < 0 ? 31 : 0);
  return part(x) + part(z) * 32;
}

/**
 * A region file, written as the game does it: in place, the sectors of the chunk first, then the table. A chunk that
 * no longer fits where it was moves to the first gap, or to the end.
 */
export class RegionFile {
  readonly #handle: FileHandle;
  readonly #tables: Buffer;

  private constructor(handle: FileHandle, tables: Buffer) {
    this.#handle = handle;
    this.#tables = tables;
  }

  static async open(folder: string, name: string): Promise<RegionFile> {
    const path = join(folder, name);
    const tables = Buffer.alloc(2 * sectorBytes);
    try {
      const handle = await open(path, "r+");
      await handle.read(tables, 0, tables.length, sectorBytes);
      return new RegionFile(handle, tables);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      const handle = await open(path, "wx+");
      await handle.write(Buffer.concat([Buffer.from("7rg"), Buffer.of(1), Buffer.alloc(3 * sectorBytes - 4)]));
      return new RegionFile(handle, tables);
    }
  }

  /** @param minute Of the world, for the table of times. */
  async write(at: ChunkAt, data: Buffer, minute: number): Promise<void> {
    const slot = slotOf(at);
    const needed = Math.ceil((data.length + 16) / sectorBytes);
    let { sector, count } = this.#location(slot);
    if (sector === 0 || needed > count) {
      this.#locate(slot, 0, 0);
      [sector, count] = [this.#gap(needed), needed];
      this.#locate(slot, sector, count);
    }
    this.#tables.writeUInt32LE(minute, sectorBytes + 4 * slot);
    const payload = Buffer.alloc(needed * sectorBytes);
    payload.writeInt32LE(data.length);
    data.copy(payload, 16);
    await this.#handle.write(payload, 0, payload.length, sector * sectorBytes);
    await this.#handle.write(this.#tables, 0, this.#tables.length, sectorBytes);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  #location(slot: number): { sector: number; count: number } {
    return { sector: this.#tables.readUInt16LE(4 * slot), count: this.#tables[4 * slot + 3] as number };
  }

  #locate(slot: number, sector: number, count: number): void {
    this.#tables.writeUInt16LE(sector, 4 * slot);
    this.#tables[4 * slot + 3] = count;
  }

  #gap(needed: number): number {
    const used = Array.from({ length: 1024 }, (_, slot) => this.#location(slot))
      .filter(({ sector }) => sector > 0)
      .sort((a, b) => a.sector - b.sector);
    let free = 3;
    for (const { sector, count } of used) {
      if (sector - free >= needed) return free;
      free = sector + count;
    }
    return free;
  }
}

/** Loads every chunk of a region as far as a stand-in has to. @throws As the game does, for one that is broken. */
export async function readRegion(path: string): Promise<(ChunkAt & { time: number })[]> {
  const bytes = await readFile(path);
  if (bytes.toString("latin1", 0, 3) !== "7rg") throw new Error(`Incorrect region file header! ${path}`);
  return Array.from({ length: 1024 }, (_, slot) => bytes.readUInt16LE(sectorBytes + 4 * slot) * sectorBytes)
    .filter((start) => start > 0)
    .map((start) => {
      if (bytes.toString("latin1", start + 16, start + 20) !== "ttc\0") throw new Error(`Wrong chunk header! ${path}`);
      const body = inflateRawSync(bytes.subarray(start + 24, start + 16 + bytes.readInt32LE(start)));
      return { x: body.readInt32LE(0), z: body.readInt32LE(8), time: Number(body.readBigUInt64LE(12)) };
    });
}
