import { lstat, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Blocks } from "../blocks.ts";
import type { Disk } from "../disk.ts";
import { Failure } from "../failures.ts";
import { FileWorker } from "../file-worker.ts";
import { type FileWriter, type SmallFile, writerHere } from "../files-now.ts";
import { sha256Of } from "../nas/publish.ts";
import { firstOther } from "../nas/read-many.ts";
import { answersAtOnce } from "../source/file-system.ts";
import { hostile, whyNotPath } from "./names.ts";
import type { TarEntry } from "./tar-read.ts";

export interface ExtractOptions {
  disk: Disk;
  /** The archive's, for messages. */
  name: string;
  /** What is kept of the modes in the archive; the owner may always read, write and enter. */
  modeMask?: number;
  /** Whether files get the time that the archive tells; folders never do. */
  keepTimes?: boolean;
  /** Whether all of it is durable at the end; otherwise the caller calls `disk.syncFileSystem`. */
  sync?: boolean;
  /**
   * Writes and reads back on a thread of its own. Only where the disk answers at once. Content that lies in its blocks
   * is written as it lies there.
   */
  worker?: FileWorker | undefined;
  signal?: AbortSignal;
  /** All content so far. */
  onBytes?: (doneBytes: number) => void;
}

export interface Extracted {
  files: number;
  folders: number;
  sizeBytes: number;
}

/** Files up to this size are gathered and written many in one step. */
const smallBytes = 256 << 10;
const batchBytes = 2 << 20;
const batchEntries = 512;
/** So many blocks of the worker's memory a batch may keep: those that it lies in, when it is full. */
const batchBlocks = batchBytes / Blocks.blockBytes + 2;
/** So much is sent to the disk at a time. */
const syncBytes = 64 << 20;

/**
 * Unpacks into an empty folder, which is made when it is missing, and reads every file back once it is written. No link
 * is ever followed: there is none in what `readTar` gives, each folder is made here, no file replaces another.
 * When it fails, what it has written stays; the caller removes its folder.
 * @throws {Failure} `target_exists` when the folder holds something; `restore_failed` when a file is not what was
 * written; whatever reading `entries` throws.
 */
export async function extractTar(
  entries: AsyncIterable<TarEntry>,
  into: string,
  options: ExtractOptions,
): Promise<Extracted> {
  const { disk, name, modeMask = 0o777, keepTimes = true, signal, onBytes } = options;
  await makeEmpty(into, disk);
  const made = new Set([""]);
  const done: Extracted = { files: 0, folders: 0, sizeBytes: 0 };
  // The thread hashes as well, so it may be behind by one.
  const batches = Array.from({ length: options.worker ? 3 : 2 }, () => new Batch(options.worker?.blocks));
  const writer = (await answersAtOnce(into)) ? (options.worker ?? writerHere()) : undefined;
  let batch = batches[0] as Batch;
  let writing = Promise.resolve();
  let syncing = Promise.resolve();
  let isSyncing = false;
  let unsynced = 0;

  /** What has to be on the disk in the end is on its way there while more is unpacked. */
  const startSync = () => {
    unsynced = 0;
    isSyncing = true;
    syncing = disk.syncFileSystem(into).then(() => {
      isSyncing = false;
    });
    syncing.catch(() => {});
  };
  /** Hands what was gathered to the disk; other batches are filled meanwhile. */
  const flush = async () => {
    if (batch.length === 0) return;
    const full = batch;
    writing = writing
      .then(() => full.writeTo(disk, into, writer))
      .then(() => {
        done.files += full.files.filter(({ from }) => from === undefined).length;
        unsynced += full.sizeBytes;
        full.clear();
        if (options.worker && unsynced >= syncBytes && !isSyncing) startSync();
      });
    writing.catch(() => {});
    full.written = writing;
    batch = batches[(batches.indexOf(full) + 1) % batches.length] as Batch;
    await batch.written;
  };
  const makeFolders = (path: string, mode?: number) => {
    if (made.has(path)) return;
    const parent = dirname(path);
    makeFolders(parent === "." ? "" : parent);
    made.add(path);
    done.folders += 1;
    batch.folders.push({ path: join(into, path), ...(mode !== undefined && { mode: (mode & modeMask) | 0o700 }) });
  };

  /** A file that is larger than what is left of a batch goes on in the next one. */
  const gather = async ({ path, bytes, sizeBytes }: TarEntry, attributes: Partial<SmallFile>) => {
    const wrong = (is: number) => new Error(`Cannot unpack an entry: ${sizeBytes} bytes are wanted, is ${is}`);
    const target = join(into, path);
    let from = 0;
    for await (const chunk of bytes) {
      if (from + chunk.length > sizeBytes) throw wrong(from + chunk.length);
      for (let rest = chunk; rest.length > 0; ) {
        const taken = batch.take(rest);
        if (taken.length === 0) {
          await flush();
          signal?.throwIfAborted();
          continue;
        }
        batch.put(target, taken, from, attributes);
        from += taken.length;
        rest = rest.subarray(taken.length);
        done.sizeBytes += taken.length;
      }
      onBytes?.(done.sizeBytes);
    }
    if (from !== sizeBytes) throw wrong(from);
    if (sizeBytes === 0) batch.put(target, Buffer.alloc(0), 0, attributes);
  };

  try {
    for await (const entry of entries) {
      signal?.throwIfAborted();
      const { path, type, sizeBytes, mtimeMs } = entry;
      const why = whyNotPath(path);
      if (why !== undefined) throw hostile(name, path, why);
      if (batch.length >= batchEntries || batch.sizeBytes + Math.min(sizeBytes, smallBytes) > batchBytes) await flush();
      if (type === "folder") {
        makeFolders(path, entry.mode);
        continue;
      }
      const parent = dirname(path);
      makeFolders(parent === "." ? "" : parent);
      const attributes = { mode: (entry.mode & modeMask) | 0o600, ...(keepTimes && { modifiedAtMs: mtimeMs }) };
      if (writer || sizeBytes <= smallBytes) {
        await gather(entry, attributes);
      } else {
        await flush();
        await writing;
        const before = done.sizeBytes;
        const written = await disk.write(join(into, path), entry.bytes, {
          ...attributes,
          sync: false,
          ...(signal && { signal }),
          onBytes: (bytes) => onBytes?.(before + bytes),
        });
        done.sizeBytes += written.sizeBytes;
        done.files += 1;
        if ((await sha256Of(join(into, path), signal)) !== written.sha256) throw otherBytes(join(into, path));
      }
    }
    await flush();
    await writing;
    await syncing;
  } finally {
    await writing.catch(() => {});
    await syncing.catch(() => {});
    for (const each of batches) each.clear();
  }
  if (options.sync ?? true) await disk.syncFileSystem(into);
  return done;
}

/** Folders, small files and parts of large ones that are made together. */
class Batch {
  folders: { path: string; mode?: number }[] = [];
  files: SmallFile[] = [];
  /** Of the files. */
  sizeBytes = 0;
  /** What was in it before. */
  written = Promise.resolve();
  readonly #blocks: Blocks | undefined;
  /** One part of each block that is kept. */
  readonly #kept = new Map<ArrayBufferLike, Buffer>();
  #bytes: Buffer | undefined;
  #copied = 0;

  constructor(blocks: Blocks | undefined) {
    this.#blocks = blocks;
  }

  get length(): number {
    return this.folders.length + this.files.length;
  }

  async writeTo(disk: Disk, into: string, writer: FileWriter | undefined): Promise<void> {
    await disk.makeDirs(this.folders);
    let other: string | undefined;
    if (writer) {
      other = await disk.writeProven(this.files, writer);
    } else {
      await disk.writeMany(this.files);
      other = await firstOther(into, this.files);
    }
    if (other !== undefined) throw otherBytes(other);
  }

  /** The beginning of a chunk, as much as there is room for, in memory that stays as it is until `clear`. */
  take(chunk: Buffer): Buffer {
    const part = chunk.subarray(0, batchBytes - this.sizeBytes);
    if (this.#blocks?.has(part)) return this.#keep(this.#blocks, part) ? part : part.subarray(0, 0);
    this.#bytes ??= FileWorker.memory(batchBytes);
    // Three times as fast as `set`, which minds that memory is shared.
    const begin = this.#copied;
    this.#copied += part.copy(this.#bytes, begin);
    return this.#bytes.subarray(begin, this.#copied);
  }

  #keep(blocks: Blocks, part: Buffer): boolean {
    if (this.#kept.has(part.buffer)) return true;
    if (this.#kept.size >= batchBlocks) return false;
    blocks.hold(part);
    this.#kept.set(part.buffer, part);
    return true;
  }

  /** What was taken, as the part of a file from there on. */
  put(path: string, bytes: Buffer, from: number, attributes: Partial<SmallFile>): void {
    this.sizeBytes += bytes.length;
    const before = this.files.at(-1);
    if (
      from > 0 &&
      before?.path === path &&
      before.bytes.byteOffset + before.bytes.length === bytes.byteOffset &&
      before.bytes.buffer === bytes.buffer
    ) {
      before.bytes = Buffer.from(bytes.buffer, before.bytes.byteOffset, before.bytes.length + bytes.length);
      return;
    }
    this.files.push({ path, bytes, ...(from > 0 && { from }), ...attributes });
  }

  clear(): void {
    for (const part of this.#kept.values()) this.#blocks?.release(part);
    this.#kept.clear();
    this.folders = [];
    this.files = [];
    this.sizeBytes = 0;
    this.#copied = 0;
  }
}

function otherBytes(path: string): Failure {
  return new Failure("restore_failed", `Cannot unpack "${path}": the bytes that were sent are wanted, others arrived`, {
    hint: "This disk or its memory damages data. Nothing was replaced.",
  });
}

async function makeEmpty(folder: string, disk: Disk): Promise<void> {
  await disk.makeDir(folder);
  if (!(await lstat(folder)).isDirectory() || (await readdir(folder)).length > 0) {
    throw new Failure("target_exists", `Cannot unpack into "${folder}": an empty or new folder is wanted`);
  }
}
