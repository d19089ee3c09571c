import { createInflate } from "node:zlib";
import { Failure } from "../../shared/failures.ts";
import { GameVersion } from "./game-version.ts";
import { MapHash } from "./map-identity.ts";
import type { ZipBytes, ZipEntry } from "./zip.ts";
import { hostile } from "./zip-names.ts";

/*
 * A save (Factorio 1.0 and newer, seen in saves of 1.1 and 2.0) is a zip with one folder, named after the save:
 *   level-init.dat       the map as it was created; the game's own menu maps show that it may be missing
 *   level.dat0 … N       the map: a zlib stream each, of 1 MiB slices
 *   level.datmetadata    u64 LE: how long the slices are together
 *   script.dat           what the map's scripts remember
 *   control.lua, info.json, description.json, locale/…
 */

export interface SaveProof {
  /** Of the map; see map-identity.ts. Absent when the save has no level-init.dat. */
  readonly mapHash?: string;
  /** What wrote the save: "2.0.72". Absent when the header is not as it is known. */
  readonly gameVersion?: string;
  /** What the map was created with. */
  readonly createdWith?: string;
  /** Of the map itself, level.dat0 … N. */
  readonly levelBytes: number;
  readonly entries: number;
}

/** A save inflates to three or four times its size; a bomb to thousands. */
const maxExpansion = 100;
const smallBytes = 64 << 20;
/** With Node's streams and a package for archives: a run that reads no save does without them. */
const loadZip = () => import("./zip.ts");

/**
 * Proves a save by reading all of it. Memory stays flat whatever its size.
 * @throws {Failure} `backup_damaged`, `backup_hostile`: which file, which member, why.
 */
export async function proveSave(file: ZipBytes, signal?: AbortSignal): Promise<SaveProof> {
  const { readEntry, readZipEntries } = await loadZip();
  const entries = await readZipEntries(file, signal);
  checkExpansion(
    file,
    entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  );
  const { init, metadata, shards } = layoutOf(file, entries);
  const options = signal ? { signal } : {};

  const wantedBytes = await readTotal(file, metadata, options);
  checkExpansion(file, wantedBytes);
  let levelBytes = 0;
  const version = new GameVersion();
  for (const shard of shards) {
    const count = (piece: Buffer) => {
      version.update(piece);
      levelBytes += piece.length;
      if (levelBytes > wantedBytes)
        throw damaged(file, `${shard.name} goes on after the ${wantedBytes} bytes that level.datmetadata says`);
    };
    await readEntry(file, shard, count, { through: [createInflate({ chunkSize: 1 << 18 })], ...options });
  }
  if (levelBytes !== wantedBytes) {
    throw damaged(file, `level.dat* of ${wantedBytes} bytes are wanted, are ${levelBytes}`);
  }

  const map = new MapHash();
  if (init) await readEntry(file, init, (piece) => map.update(piece), options);
  const read = new Set([init, metadata, ...shards]);
  for (const entry of entries) if (!read.has(entry)) await readEntry(file, entry, () => {}, options);

  return {
    ...(init && { mapHash: map.digest() }),
    ...(version.text && { gameVersion: version.text }),
    ...(map.createdWith && { createdWith: map.createdWith }),
    levelBytes,
    entries: entries.length,
  };
}

/**
 * Which map it is, without reading more than that takes.
 * @returns undefined when the save does not tell.
 */
export async function readMapHash(file: ZipBytes, signal?: AbortSignal): Promise<string | undefined> {
  const { readEntry, readZipEntries } = await loadZip();
  const { init } = layoutOf(file, await readZipEntries(file, signal));
  if (!init) return undefined;
  checkExpansion(file, init.sizeBytes);
  const map = new MapHash();
  await readEntry(file, init, (piece) => map.update(piece), signal ? { signal } : {});
  return map.digest();
}

interface Layout {
  init: ZipEntry | undefined;
  metadata: ZipEntry;
  /** level.dat0, level.dat1, … without a gap. */
  shards: ZipEntry[];
}

function layoutOf(file: ZipBytes, entries: readonly ZipEntry[]): Layout {
  const roots = new Set(entries.map(({ name }) => name.slice(0, name.indexOf("/") + 1)));
  const [root] = roots;
  if (roots.size !== 1 || !root) throw damaged(file, `one folder with all entries is wanted, are ${roots.size}`);
  const members = new Map(entries.map((entry) => [entry.name.slice(root.length), entry]));
  if (members.has("level.dat") && !members.has("level.dat0")) {
    throw damaged(file, "level.dat0, level.dat1… are wanted, is the single level.dat of a game before 1.0");
  }
  const need = (name: string): ZipEntry => {
    const entry = members.get(name);
    if (!entry) throw damaged(file, `${name} is wanted, is missing`);
    return entry;
  };
  const numbers = [...members.keys()]
    .flatMap((name) => /^level\.dat(0|[1-9]\d{0,8})$/.exec(name)?.[1] ?? [])
    .map(Number);
  const last = Math.max(0, ...numbers);
  // A name in the message, not a loop over a number that the file makes up.
  const shards = numbers
    .sort((a, b) => a - b)
    .map((number, index) => (number === index ? need(`level.dat${number}`) : undefined));
  const gap = shards.indexOf(undefined);
  if (shards.length === 0 || gap !== -1) {
    throw damaged(
      file,
      `level.dat${Math.max(0, gap)} is wanted, is missing${gap === -1 ? "" : ` (the last one is level.dat${last})`}`,
    );
  }
  need("script.dat");
  return { init: members.get("level-init.dat"), metadata: need("level.datmetadata"), shards: shards as ZipEntry[] };
}

async function readTotal(file: ZipBytes, entry: ZipEntry, options: { signal?: AbortSignal }): Promise<number> {
  if (entry.sizeBytes !== 8) throw damaged(file, `level.datmetadata of 8 bytes is wanted, has ${entry.sizeBytes}`);
  const pieces: Buffer[] = [];
  const { readEntry } = await loadZip();
  await readEntry(file, entry, (piece) => pieces.push(piece), options);
  return Number(Buffer.concat(pieces).readBigUInt64LE());
}

function checkExpansion(file: ZipBytes, inflatedBytes: number): void {
  if (inflatedBytes <= smallBytes + maxExpansion * file.sizeBytes) return;
  throw hostile(file.path, `its ${file.sizeBytes} bytes would become ${inflatedBytes}`);
}

function damaged(file: ZipBytes, why: string): Failure {
  return new Failure("backup_damaged", `Cannot vouch for "${file.path}": ${why}`);
}
