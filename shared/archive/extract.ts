import { lstat, readdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import type { Disk } from "../disk.ts";
import { Failure } from "../failures.ts";
import { FileWorker } from "../file-worker.ts";
import type { SmallFile } from "../files-now.ts";
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
/** From so many batches on, there are probably enough to come to be worth a thread that writes them. */
const batchesWithoutThread = 2;

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
  const mayStart = availableParallelism() > 1 && (await answersAtOnce(into));
  let batch = batches[0] as Batch;
  let writing = Promise.resolve();
  let flushes = 0;
  let worker: FileWorker | undefined;

  /** Hands what was gathered to the disk; the next batch is filled meanwhile. */
  const flush = async () => {
    await writing;
    if (batch.length === 0) return;
    const full = batch;
    flushes += 1;
    if (mayStart && flushes > batchesWithoutThread) worker ??= new FileWorker();
    writing = full.writeTo(disk, into, worker).then(() => {
      done.files += full.files.length;
      full.clear();
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
      if (sizeBytes <= smallBytes) {
        const bytes = await batch.read(entry.bytes, sizeBytes);
        batch.files.push({ path: join(into, path), bytes, ...attributes });
        done.sizeBytes += sizeBytes;
        onBytes?.(done.sizeBytes);
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
  } finally {
    await writing.catch(() => {});
    await worker?.end();
  }
  if (options.sync ?? true) await disk.syncFileSystem(into);
  return done;
}

/** Folders and small files that are made together. */
class Batch {
  folders: { path: string; mode?: number }[] = [];
  files: SmallFile[] = [];
  used = 0;
  #bytes: Buffer | undefined;

  get length(): number {
    return this.folders.length + this.files.length;
  }

  async writeTo(disk: Disk, into: string, worker: FileWorker | undefined): Promise<void> {
    await disk.makeDirs(this.folders);
    await disk.writeMany(this.files, worker);
    const other = await (worker ? worker.firstOther(this.files) : firstOther(into, this.files));
    if (other !== undefined) throw otherBytes(other);
  }

  async read(chunks: AsyncIterable<Uint8Array>, sizeBytes: number): Promise<Buffer> {
    this.#bytes ??= FileWorker.memory(batchBytes);
    const start = this.used;
    const wrong = (is: number) => new Error(`Cannot unpack an entry: ${sizeBytes} bytes are wanted, is ${is}`);
    for await (const chunk of chunks) {
      if (this.used + chunk.byteLength > start + sizeBytes) throw wrong(this.used + chunk.byteLength - start);
      this.#bytes.set(chunk, this.used);
      this.used += chunk.byteLength;
    }
    if (this.used - start !== sizeBytes) throw wrong(this.used - start);
    return this.#bytes.subarray(start, this.used);
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
