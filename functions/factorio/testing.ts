import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateRawSync, deflateSync } from "node:zlib";
import { pino } from "pino";
import type { RunContext, Stage } from "../../shared/app.ts";
import { Disk } from "../../shared/disk.ts";
import { createStep } from "../../shared/step.ts";
import { withoutPlaces } from "../../shared/testing.ts";
import { Settings } from "./app.ts";
import type { ZipBytes } from "./zip.ts";

/* What the tests of this folder share. */

export const tempFolder = () => mkdtemp(join(tmpdir(), "factorio-"));

/** A run's context over real files; `warnings` and `steps` tell what it saw. */
export function testContext(settings: unknown, runId = "run-1") {
  const [warnings, steps]: [string[], string[]] = [[], []];
  const step = createStep({ onStep: (what) => void steps.push(what) });
  const ctx: RunContext<Settings> = {
    app: { name: "factorio", type: "factorio", title: "Factorio" },
    settings: Settings.parse(settings),
    run: {
      id: runId,
      function: "backup-factorio",
      app: "factorio",
      request: { operation: "backup", allow: [] },
      startedBy: "test",
      startedAt: "2025-12-19T18:00:00Z",
    },
    disk: new Disk(step),
    step,
    log: pino({ level: "silent" }),
    signal: new AbortController().signal,
    now: Date.now,
    ...withoutPlaces,
    allows: () => false,
    progress: () => {},
    warn: (message) => void warnings.push(message),
  };
  return { ctx, warnings, steps };
}

/** Writes into a folder as the core does; a second write of a kind takes the place of the first. */
export function folderStage(ctx: RunContext, folder: string): Stage {
  return {
    untouched: new Set(),
    write: async (kind, bytes) => {
      await ctx.disk.remove(join(folder, kind));
      return ctx.disk.write(join(folder, kind), bytes);
    },
  };
}

export interface RawEntry {
  name: string;
  data?: Buffer;
  deflate?: boolean;
  /** Each of these is a lie, or a rarity, when it is given. */
  localName?: string;
  sizeBytes?: number;
  crc?: number;
  method?: number;
  flags?: number;
  mode?: number;
  headerStart?: number;
}

/** A zip (APPNOTE.TXT 4.3) of which every field can be wrong, because no library writes those. */
export function rawZip(entries: readonly RawEntry[]): Buffer {
  const [bodies, directory]: [Buffer[], Buffer[]] = [[], []];
  let offset = 0;
  for (const entry of entries) {
    const data = entry.data ?? Buffer.from(entry.name);
    const stored = entry.deflate ? deflateRawSync(data) : data;
    const fields = Buffer.alloc(20);
    fields.writeUInt16LE(0x800 | (entry.flags ?? 0), 0);
    fields.writeUInt16LE(entry.method ?? (entry.deflate ? 8 : 0), 2);
    fields.writeUInt32LE(entry.crc ?? crc32(data), 8);
    fields.writeUInt32LE(stored.length, 12);
    fields.writeUInt32LE(entry.sizeBytes ?? data.length, 16);
    const header = (signature: number, size: number, at: number, name: Buffer) => {
      const bytes = Buffer.alloc(size);
      bytes.writeUInt32LE(signature, 0);
      fields.copy(bytes, at);
      bytes.writeUInt16LE(name.length, at + 20);
      return bytes;
    };
    const [name, localName] = [Buffer.from(entry.name), Buffer.from(entry.localName ?? entry.name)];
    const central = header(0x02014b50, 46, 8, name);
    central.writeUInt32LE(((entry.mode ?? 0) << 16) >>> 0, 38);
    central.writeUInt32LE(entry.headerStart ?? offset, 42);
    directory.push(central, name);
    const body = [header(0x04034b50, 30, 6, localName), localName, stored];
    bodies.push(...body);
    offset += Buffer.concat(body).length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...bodies, central, end]);
}

/** The entries of a small good save, for a test to spoil. */
export function saveEntries(slices = [Buffer.alloc(3000, "a"), Buffer.alloc(500, "b")]): RawEntry[] {
  const total = Buffer.alloc(8);
  total.writeBigUInt64LE(BigInt(slices.reduce((sum, slice) => sum + slice.length, 0)));
  return [
    { name: "s/control.lua", deflate: true },
    { name: "s/level-init.dat", data: Buffer.from([2, 0, 0, 0, 72, 0, 0, 0, 1, 2, 3]), deflate: true },
    ...slices.map((slice, index) => ({ name: `s/level.dat${index}`, data: deflateSync(slice) })),
    { name: "s/level.datmetadata", data: total },
    { name: "s/script.dat", deflate: true },
  ];
}

/** Bytes in memory, to be read as a file is. */
export function asFile(bytes: Buffer, path = "/nas/latest.zip"): ZipBytes {
  return {
    path,
    sizeBytes: bytes.length,
    read: async (offset, length) => Buffer.from(bytes.subarray(offset, offset + length)),
  };
}
