import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32, createInflateRaw } from "node:zlib";
import {
  type Entry,
  fromRandomAccessReaderPromise,
  getFileNameLowLevel,
  RandomAccessReader,
  type ZipFile,
} from "yauzl";
import { Failure } from "../../shared/failures.ts";
import type { ReadBack } from "../../shared/nas/read-back.ts";
import { checkNames, hostile } from "./zip-names.ts";

/** What is read: a file that is proven, or one that the game has just written. */
export type ZipBytes = Pick<ReadBack, "path" | "sizeBytes" | "read">;

export interface ZipEntry {
  /** With "/" between its parts; a folder's ends with one. Safe to join to a path. */
  readonly name: string;
  /** Inflated, as the central directory says. `readEntry` holds it to that. */
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly deflated: boolean;
  readonly crc32: number;
  readonly dataStart: number;
}

const maxEntries = 100_000;
const chunkBytes = 1 << 18;

/**
 * Reads the central directory (APPNOTE.TXT 4.3.12) and each local header, and refuses what no game writes.
 * Local headers hold no sizes where data descriptors follow, so sizes come from the central directory alone.
 * @returns The entries in the order of the central directory.
 * @throws {Failure} `backup_damaged`, `backup_hostile`.
 */
export async function readZipEntries(file: ZipBytes, signal?: AbortSignal): Promise<ZipEntry[]> {
  return proving(file.path, async () => {
    const zip = await fromRandomAccessReaderPromise(new YauzlReader(file), file.sizeBytes, {
      autoClose: false,
      decodeStrings: false,
    });
    if (zip.entryCount > maxEntries)
      throw hostile(file.path, `at most ${maxEntries} entries are wanted, are ${zip.entryCount}`);
    const entries: (ZipEntry & { headerStart: number })[] = [];
    for await (const entry of zip.eachEntry()) {
      signal?.throwIfAborted();
      entries.push(await toEntry(file, zip, entry));
    }
    checkNames(
      file.path,
      entries.map(({ name }) => name),
    );
    checkOverlap(file.path, entries);
    return entries;
  });
}

async function toEntry(file: ZipBytes, zip: ZipFile, entry: Entry): Promise<ZipEntry & { headerStart: number }> {
  const name = getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true);
  const of = (what: string) => hostile(file.path, `its entry ${JSON.stringify(name.slice(0, 200))} ${what}`);
  if (entry.isEncrypted()) throw of("is encrypted");
  // The upper half holds the mode of a Unix file (stat(2)): a plain file, a folder, or nothing is what is wanted.
  const kind = (entry.externalFileAttributes >>> 28) & 0xf;
  if (kind !== 0 && kind !== 0x8 && kind !== 0x4) throw of("is a link or a device");
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8) {
    throw new Error(`its entry "${name}" is compressed by method ${entry.compressionMethod}; 0 or 8 is wanted`);
  }
  const local = await zip.readLocalFileHeaderPromise(entry);
  if (!local.fileName.equals(entry.fileNameRaw)) throw of("has another name where its data is");
  return {
    name,
    sizeBytes: entry.uncompressedSize,
    storedBytes: entry.compressedSize,
    deflated: entry.compressionMethod === 8,
    crc32: entry.crc32,
    dataStart: local.fileDataStart,
    headerStart: entry.relativeOffsetOfLocalHeader,
  };
}

/** Entries that share bytes are how a small file becomes a big one. */
function checkOverlap(path: string, entries: readonly (ZipEntry & { headerStart: number })[]): void {
  let end = 0;
  for (const entry of entries.toSorted((a, b) => a.headerStart - b.headerStart)) {
    if (entry.headerStart < end) throw hostile(path, `its entry "${entry.name}" shares bytes with another one`);
    end = entry.dataStart + entry.storedBytes;
  }
}

/**
 * Reads one entry to its end, holding it to its size and CRC-32.
 * @param consume Gets the inflated content, piece by piece.
 * @param through Further transforms between the entry's content and `consume`.
 * @throws {Failure} `backup_damaged`; `backup_hostile` when it inflates to more than it says.
 */
export async function readEntry(
  file: ZipBytes,
  entry: ZipEntry,
  consume: (piece: Buffer) => void,
  { through = [], signal }: { through?: Transform[]; signal?: AbortSignal } = {},
): Promise<void> {
  const stages = [
    Readable.from(storedBytes(file, entry), { objectMode: false }),
    ...(entry.deflated ? [createInflateRaw({ chunkSize: chunkBytes })] : []),
    (pieces: AsyncIterable<Buffer>) => checked(file, entry, pieces),
    ...through,
    async (pieces: AsyncIterable<Buffer>) => {
      for await (const piece of pieces) consume(piece);
    },
  ];
  await proving(`${file.path}: ${entry.name}`, () => pipeline(stages as never, signal ? { signal } : {}));
}

async function* storedBytes(file: ZipBytes, { dataStart, storedBytes }: ZipEntry): AsyncGenerator<Buffer> {
  for (let done = 0; done < storedBytes; ) {
    const piece = await file.read(dataStart + done, Math.min(chunkBytes, storedBytes - done));
    done += piece.length;
    yield piece;
  }
}

async function* checked(file: ZipBytes, entry: ZipEntry, pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let [sizeBytes, sum] = [0, 0];
  for await (const piece of pieces) {
    sizeBytes += piece.length;
    if (sizeBytes > entry.sizeBytes) {
      throw hostile(file.path, `its entry "${entry.name}" says that it has ${entry.sizeBytes} bytes, and has more`);
    }
    sum = crc32(piece, sum);
    yield piece;
  }
  if (sizeBytes !== entry.sizeBytes) throw new Error(`${entry.sizeBytes} bytes are wanted, are ${sizeBytes}`);
  if (sum !== entry.crc32) throw new Error(`CRC-32 ${hex(entry.crc32)} is wanted, is ${hex(sum)}`);
}

const hex = (n: number) => n.toString(16).padStart(8, "0");

/** What yauzl and zlib say of bytes becomes `backup_damaged`; what the system says of reading them stays what it is. */
async function proving<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { name, message } = error as Error;
    if (error instanceof Failure || name === "AbortError" || (error as NodeJS.ErrnoException).syscall) throw error;
    throw new Failure("backup_damaged", `Cannot vouch for "${what}": ${message}`, { cause: error });
  }
}

class YauzlReader extends RandomAccessReader {
  readonly #file: ZipBytes;

  constructor(file: ZipBytes) {
    super();
    this.#file = file;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    const available = Math.max(0, Math.min(length, this.#file.sizeBytes - position));
    (available === 0 ? Promise.resolve(Buffer.alloc(0)) : this.#file.read(position, available)).then(
      (bytes) => callback(null, bytes.copy(buffer, offset)),
      (error) => callback(error),
    );
  }
}
