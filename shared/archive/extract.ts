import { lstat, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
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
  /** Writes and reads back on a thread of its own. Only where the disk answers at once. */
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
const batchBytes = 4 << 20;
const batchEntries = 512;
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
  const batches = [new Batch(), new Batch()];
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
  /** Hands what was gathered to the disk; the next batch is filled meanwhile. */
  const flush = async () => {
    await writing;
    if (batch.length === 0) return;
    const full = batch;
    writing = full.writeTo(disk, into, writer).then(() => {
      done.files += full.files.filter(({ from }) => from === undefined).length;
      unsynced += full.used;
      full.clear();
      if (options.worker && unsynced >= syncBytes && !isSyncing) startSync();
    });
    writing.catch(() => {});
    batch = batches[batches.indexOf(full) ^ 1] as Batch;
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
    let [from, begin, seen] = [0, batch.used, 0];
    const put = () => {
      const part = { path: join(into, path), bytes: batch.since(begin), ...attributes };
      batch.files.push(from === 0 ? part : { ...part, from });
      from += part.bytes.length;
      done.sizeBytes += part.bytes.length;
      onBytes?.(done.sizeBytes);
    };
    for await (const chunk of bytes) {
      seen += chunk.byteLength;
      if (seen > sizeBytes) throw wrong(seen);
      for (let rest = batch.take(chunk); rest.byteLength > 0; rest = batch.take(rest)) {
        put();
        await flush();
        signal?.throwIfAborted();
        begin = 0;
      }
    }
    if (seen !== sizeBytes) throw wrong(seen);
    put();
  };

  try {
    for await (const entry of entries) {
      signal?.throwIfAborted();
      const { path, type, sizeBytes, mtimeMs } = entry;
      const why = whyNotPath(path);
      if (why !== undefined) throw hostile(name, path, why);
      if (batch.length >= batchEntries || batch.used + Math.min(sizeBytes, smallBytes) > batchBytes) await flush();
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
  }
  if (options.sync ?? true) await disk.syncFileSystem(into);
  return done;
}

/** Folders, small files and parts of large ones that are made together. */
class Batch {
  folders: { path: string; mode?: number }[] = [];
  files: SmallFile[] = [];
  used = 0;
  #bytes: Buffer | undefined;

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

  /** Copies what there is room for. @returns The rest. */
  take(chunk: Buffer): Buffer {
    this.#bytes ??= FileWorker.memory(batchBytes);
    // Three times as fast as `set`, which minds that memory is shared.
    const copied = chunk.copy(this.#bytes, this.used);
    this.used += copied;
    return chunk.subarray(copied);
  }

  /** What was taken from there on. */
  since(begin: number): Buffer {
    return this.#bytes?.subarray(begin, this.used) ?? Buffer.alloc(0);
  }

  clear(): void {
    this.folders = [];
    this.files = [];
    this.used = 0;
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
