import { constants, inflateRawSync } from "node:zlib";
import { freeWhole } from "../../shared/archive/whole.ts";
import type { FileCheck } from "./file-check.ts";
import { regionLayout, type Slot } from "./region-layout.ts";

/** Where one chunk after the other is gathered: one for all region files of a game. */
export class ChunkBuffer {
  #bytes = Buffer.alloc(0);

  /** @param kept How many bytes of what was gathered stay. */
  room(sizeBytes: number, kept: number): Buffer {
    if (this.#bytes.length < sizeBytes) {
      const larger = Buffer.allocUnsafeSlow(Math.max(1 << 16, 2 ** Math.ceil(Math.log2(sizeBytes))));
      this.#bytes.copy(larger, 0, 0, kept);
      this.#bytes = larger;
    }
    return this.#bytes;
  }
}

const firstBytes = 4;
const maxChunkBytes = 64 << 20;
/** What most chunks become at most, so that they come in one piece. */
const usualChunkBytes = 256 << 10;

/**
 * Walks the table of a region file (`*.7rg`, `*.7rr`) as the file passes by: every chunk lies where the table says,
 * inside the file, and, in the format of today, apart from all others, begins as a chunk does, and inflates.
 * Region files are written in place, the chunk before the table, so a torn copy shows in one of these.
 * Holds the table and one chunk (1 MiB at most) in memory.
 */
export class RegionCheck implements FileCheck {
  #header = Buffer.alloc(0);
  #headerBytes = firstBytes;
  /** In the order in which they pass by. */
  #slots: readonly Slot[] | undefined;
  #next = 0;
  /** Where chunks end of which only that is looked at, by slot. */
  readonly #ends = new Map<number, number>();
  readonly #chunk: ChunkBuffer;
  #gathered = 0;
  #wantedBytes = 0;
  #position = 0;
  #why: string | undefined;

  constructor(chunk = new ChunkBuffer()) {
    this.#chunk = chunk;
  }

  /** How many chunks it holds. */
  get chunks(): number {
    return this.#slots?.length ?? 0;
  }

  update(piece: Buffer): void {
    let rest = piece;
    while (rest.length > 0 && this.#why === undefined) rest = rest.subarray(this.#take(rest));
    // Only its length matters any more.
    this.#position += rest.length;
  }

  end(): string | undefined {
    if (this.#why !== undefined) return this.#why;
    if (this.#slots === undefined) {
      return this.#position === 0
        ? "it is empty"
        : `a header of ${this.#headerBytes} bytes is wanted, are ${this.#position}`;
    }
    const outside = this.#slots.find(({ index, limit }) => (this.#ends.get(index) ?? limit) > this.#position);
    if (!outside) return undefined;
    const ends = this.#ends.get(outside.index) ?? outside.limit;
    return this.#of(outside, `its chunk ends at ${ends}, the file at ${this.#position}`);
  }

  /** @returns How many bytes it used. */
  #take(bytes: Buffer): number {
    if (this.#slots === undefined) return this.#advance(this.#gatherHeader(bytes));
    const slot = this.#slots[this.#next];
    if (!slot) return this.#advance(bytes.length);
    if (this.#position < slot.start) return this.#advance(Math.min(bytes.length, slot.start - this.#position));
    return this.#advance(this.#gatherChunk(slot, bytes));
  }

  #advance(count: number): number {
    this.#position += count;
    return count;
  }

  #gatherHeader(bytes: Buffer): number {
    const used = Math.min(bytes.length, this.#headerBytes - this.#header.length);
    this.#header = Buffer.concat([this.#header, bytes.subarray(0, used)]);
    if (this.#header.length < this.#headerBytes) return used;
    const layout = regionLayout(this.#header);
    if (typeof layout === "string") this.#why = layout;
    else if (this.#header.length < layout.headerBytes) this.#headerBytes = layout.headerBytes;
    else {
      this.#slots = layout.slots.toSorted((a, b) => a.start - b.start);
      this.#why = this.#misplaced(this.#slots, layout.headerBytes);
      this.#wantedBytes = this.#slots[0]?.headBytes ?? 0;
    }
    return used;
  }

  #misplaced(slots: readonly Slot[], headerBytes: number): string | undefined {
    for (const [index, slot] of slots.entries()) {
      if (slot.start < headerBytes) return this.#of(slot, `its chunk begins at ${slot.start}, inside the header`);
      const before = slots[index - 1];
      if (before && before.limit > slot.start) {
        return this.#of(slot, `its chunk at ${slot.start} lies in that of slot ${before.index}`);
      }
    }
    return undefined;
  }

  #gatherChunk(slot: Slot, bytes: Buffer): number {
    const chunk = this.#chunk.room(this.#wantedBytes, this.#gathered);
    const used = Math.min(bytes.length, this.#wantedBytes - this.#gathered);
    bytes.copy(chunk, this.#gathered, 0, used);
    this.#gathered += used;
    if (this.#gathered < this.#wantedBytes) return used;
    const gathered = chunk.subarray(0, this.#gathered);
    if (this.#gathered === slot.headBytes) {
      const told = slot.read(gathered);
      if (typeof told === "string") this.#why = this.#of(slot, told);
      else if ("endsAt" in told) this.#ends.set(slot.index, told.endsAt);
      else this.#wantedBytes = told.wholeBytes;
      if (this.#why === undefined && this.#wantedBytes === slot.headBytes) this.#pass();
    } else if (inflates(gathered.subarray(slot.headBytes))) this.#pass();
    else this.#why = this.#of(slot, "its chunk cannot be inflated: it was half written");
    return used;
  }

  #pass(): void {
    this.#next += 1;
    this.#gathered = 0;
    this.#wantedBytes = this.#slots?.[this.#next]?.headBytes ?? 0;
  }

  #of(slot: Slot, why: string): string {
    return `slot ${slot.index}: ${why}`;
  }
}

/** A stream without its last block passes: whether every version of the game writes one is not known. */
function inflates(body: Buffer): boolean {
  try {
    const finishFlush = constants.Z_SYNC_FLUSH;
    freeWhole(inflateRawSync(body, { finishFlush, chunkSize: usualChunkBytes, maxOutputLength: maxChunkBytes }));
    return true;
  } catch {
    return false;
  }
}
