import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { chmod, chown, copyFile, mkdir, open, rm, rmdir, utimes } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { link, lstat, openSmall, rename, type SmallFileHandle, stat, unlink } from "./files.ts";
import { type FileWriter, type SmallFile, writeManyNow } from "./files-now.ts";
import { answersAtOnce } from "./source/file-system.ts";
import type { Step } from "./step.ts";

export interface Written {
  sizeBytes: number;
  /** Lower-case hex. */
  sha256: string;
}

export interface DiskOptions {
  fileMode?: number;
  dirMode?: number;
  /** Owner of what is made; the process's own when absent. */
  owner?: { uid: number; gid: number };
  /**
   * What is mounted at `root`, and may go away: no folder is made below it unless `check` finds it there. What would be
   * made on the disk beneath would pass for it, and be hidden when it comes back.
   */
  mount?: { readonly root: string; check(): Promise<unknown> };
}

export interface WriteOptions {
  signal?: AbortSignal;
  onBytes?: (doneBytes: number) => void;
  mode?: number;
  modifiedAtMs?: number;
  /** Whether the file is fsynced; when not, `syncFileSystem` has to follow. True when absent. */
  sync?: boolean;
  /**
   * Is called for each part of a big file once it is on the disk, in order, while later parts are written; for the
   * last part at the end. What it throws fails the write.
   */
  onSynced?: (fromByte: number, toByte: number) => Promise<void>;
}

type Bytes = string | Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Whether a path is this folder, or lies in it; both absolute and as they are, links not followed. */
export const isWithin = (path: string, folder: string) => path === folder || path.startsWith(join(folder, "/"));

/**
 * Every change to a file system that a run makes. Each method is one or more steps (`step.ts`); each may run twice:
 * removing what is absent succeeds, making a folder that exists succeeds. Reading needs no step and is not here.
 */
export class Disk {
  readonly #step: Step;
  readonly #fileMode: number;
  readonly #dirMode: number;
  readonly #owner: DiskOptions["owner"];
  readonly #mount: DiskOptions["mount"];

  constructor(step: Step, { fileMode = 0o644, dirMode = 0o755, owner, mount }: DiskOptions = {}) {
    this.#step = step;
    this.#fileMode = fileMode;
    this.#dirMode = dirMode;
    this.#owner = owner;
    this.#mount = mount;
  }

  /** The same disk with other modes or another owner. */
  with(options: DiskOptions): Disk {
    return new Disk(this.#step, {
      fileMode: this.#fileMode,
      dirMode: this.#dirMode,
      ...(this.#owner && { owner: this.#owner }),
      ...(this.#mount && { mount: this.#mount }),
      ...options,
    });
  }

  /** Whether what has to be mounted is still there. */
  async hasMount(): Promise<boolean> {
    if (!this.#mount) return true;
    return this.#mount.check().then(
      () => true,
      () => false,
    );
  }

  /** Makes a folder and its parents; one that is there is no step. */
  async makeDir(path: string): Promise<void> {
    if ((await stat(path).catch(() => undefined))?.isDirectory()) return;
    await this.#step(`make folder ${path}`, async () => {
      if (this.#mount && isWithin(path, this.#mount.root)) await this.#mount.check();
      const first = await mkdir(path, { recursive: true, mode: this.#dirMode });
      if (first === undefined || !this.#owner) return;
      for (let made = path; made.length >= first.length; made = dirname(made)) {
        await chown(made, this.#owner.uid, this.#owner.gid);
      }
    });
  }

  /**
   * Writes a new file in one pass: hashed on the way, fsynced, its folder not. Never replaces a file.
   * A crash leaves a torn file under this name, so the name is a temporary one.
   * @throws {NodeJS.ErrnoException} `EEXIST` when the name is taken, `ENOSPC`…; what was written is removed then.
   */
  async write(path: string, bytes: Bytes, options: WriteOptions = {}): Promise<Written> {
    const create: typeof openSmall = typeof bytes === "string" ? openSmall : open;
    const file = await this.#step(`create ${path}`, () => create(path, "wx", options.mode ?? this.#fileMode));
    try {
      // A copy in scratch space need never reach the disk.
      const isWaitedFor = options.sync !== false || options.onSynced !== undefined;
      const parts = isWaitedFor ? syncedParts(file, options.onSynced) : undefined;
      const written = await this.#fill(file, path, bytes, options, parts?.wrote).catch(async (error) => {
        await parts?.end().catch(() => {});
        throw error;
      });
      await this.#step(`fsync ${path}`, async () => {
        await parts?.end();
        await this.#setAttributes(file, options);
        if (options.sync !== false) await file.sync();
      });
      await parts?.last(written.sizeBytes);
      await file.close();
      return written;
    } catch (error) {
      await file.close().catch(() => {});
      await unlink(path).catch(() => {});
      throw error;
    }
  }

  async #fill(
    file: SmallFileHandle,
    path: string,
    bytes: Bytes,
    { signal, onBytes }: WriteOptions,
    wrote?: (doneBytes: number) => Promise<void>,
  ): Promise<Written> {
    // Of a small text hardly anybody asks for it.
    const hash = typeof bytes === "string" ? undefined : createHash("sha256");
    let sizeBytes = 0;
    const put = async (chunk: Uint8Array) => {
      // Hashed while another thread writes.
      const writing = writeAll(file, chunk, sizeBytes);
      hash?.update(chunk);
      await writing;
      sizeBytes += chunk.byteLength;
      onBytes?.(sizeBytes);
      await wrote?.(sizeBytes);
    };
    const source = typeof bytes === "string" ? [Buffer.from(bytes)] : bytes instanceof Uint8Array ? [bytes] : bytes;
    let first = true;
    for await (const chunk of source) {
      signal?.throwIfAborted();
      if (first && chunk.byteLength > 0) {
        // Two steps, so that a run stopped between them leaves a torn file.
        first = false;
        const half = chunk.byteLength >> 1;
        await this.#step(`write first bytes of ${path}`, () => put(chunk.subarray(0, half)));
        await this.#step(`write the rest of ${path}`, () => put(chunk.subarray(half)));
      } else {
        await put(chunk);
      }
    }
    signal?.throwIfAborted();
    if (hash) return { sizeBytes, sha256: hash.digest("hex") };
    return {
      sizeBytes,
      get sha256() {
        return createHash("sha256")
          .update(bytes as string)
          .digest("hex");
      },
    };
  }

  /**
   * Writes new small files, all in one step and none fsynced: `syncFileSystem` has to follow before any of them is
   * relied on. Never replaces a file. A crash leaves some of them, and one torn.
   * @param writer Who writes, only where the disk answers at once; this thread when absent.
   * @throws {NodeJS.ErrnoException} `EEXIST`, `ENOSPC`…
   */
  async writeMany(files: readonly SmallFile[], writer?: FileWriter): Promise<void> {
    const [first] = files;
    if (!first) return;
    const attributes = { fileMode: this.#fileMode, owner: this.#owner };
    await this.#step(`write ${files.length} files from ${first.path}`, async () => {
      if (writer) return writer.writeOnly(files, attributes);
      if (await answersAtOnce(dirname(first.path))) return writeManyNow(files, attributes);
      // A few at a time: a network file system answers each call late.
      const waiting = files.values();
      const write = async () => {
        for (const { path, bytes, ...attributes } of waiting) {
          const file = await open(path, "wx", attributes.mode ?? this.#fileMode);
          try {
            await writeAll(file, bytes, 0);
            await this.#setAttributes(file, attributes);
          } finally {
            await file.close();
          }
        }
      };
      // All have ended before it throws: the caller may use its buffers again.
      const ended = await Promise.allSettled(Array.from({ length: 8 }, write));
      for (const end of ended) if (end.status === "rejected") throw end.reason;
    });
  }

  /**
   * The same on a disk that answers at once, also for parts of large files; all is read back.
   * @returns The first path that has other bytes.
   */
  async writeProven(files: readonly SmallFile[], writer: FileWriter): Promise<string | undefined> {
    const [first] = files;
    if (!first) return undefined;
    const attributes = { fileMode: this.#fileMode, owner: this.#owner };
    return this.#step(`write ${files.length} files from ${first.path}`, () => writer.write(files, attributes));
  }

  /** Makes all that was written to the file system of this folder survive a power cut: syncfs(2), by `sync -f`. */
  async syncFileSystem(path: string): Promise<void> {
    await this.#step(`sync the file system of ${path}`, () => syncFileSystem(path));
  }

  /** A mode that was asked for is given whatever the umask leaves of it at creation. */
  async #setAttributes(file: SmallFileHandle, { mode, modifiedAtMs }: { mode?: number; modifiedAtMs?: number }) {
    if (this.#owner) await file.chown(this.#owner.uid, this.#owner.gid);
    if (mode !== undefined) await file.chmod(mode);
    if (modifiedAtMs !== undefined) await file.utimes(modifiedAtMs / 1000, modifiedAtMs / 1000);
  }

  /** Makes new folders in one step, each after the one it is in; `mode` is given whatever the umask. Fails when one is there. */
  async makeDirs(folders: readonly { path: string; mode?: number }[]): Promise<void> {
    const [first] = folders;
    if (!first) return;
    await this.#step(`make ${folders.length} folders from ${first.path}`, async () => {
      for (const { path, mode } of folders) {
        await mkdir(path, { mode: mode ?? this.#dirMode });
        if (mode !== undefined) await chmod(path, mode);
        if (this.#owner) await chown(path, this.#owner.uid, this.#owner.gid);
      }
    });
  }

  /**
   * Replaces a small file whole or not at all: temporary name, fsync, rename, fsync of the folder.
   * @param options.durable False where the old content does as well: a power cut may bring it back.
   */
  async replace(path: string, content: Bytes, options: WriteOptions & { durable?: boolean } = {}): Promise<void> {
    const temporary = temporaryFor(path);
    await this.write(temporary, content, options);
    await this.rename(temporary, path, options);
  }

  /**
   * Creates a small file whole, unless the name is taken.
   * @returns Whether this call made it.
   */
  async createExclusive(path: string, content: string): Promise<boolean> {
    const temporary = temporaryFor(path);
    await this.write(temporary, content);
    try {
      if (!(await this.#link(temporary, path))) return false;
      await this.syncDir(dirname(path));
      return true;
    } finally {
      await this.remove(temporary);
    }
  }

  /**
   * Renames, replacing what has the new name; then fsyncs the folders.
   * @param options.durable False where the old name does as well: a power cut may bring it back.
   */
  async rename(from: string, to: string, { durable = true }: { durable?: boolean } = {}): Promise<void> {
    await this.#step(`rename ${from} to ${to}`, () => rename(from, to));
    if (!durable) return;
    await this.syncDir(dirname(to));
    if (dirname(from) !== dirname(to)) await this.syncDir(dirname(from));
  }

  /** Renames files in one step, each replacing what has its new name; `syncFileSystem` has to follow. */
  async renameMany(moves: readonly { from: string; to: string }[]): Promise<void> {
    const [first] = moves;
    if (!first) return;
    await this.#step(`rename ${moves.length} files from ${first.from}`, async () => {
      for (const { from, to } of moves) await rename(from, to);
    });
  }

  /**
   * Gives a file a final name that nobody has yet, without ever replacing one.
   * @returns Whether the name was free; when it was not, the file stays where it was.
   */
  async renameExclusive(from: string, to: string): Promise<boolean> {
    if (!(await this.#link(from, to))) return false;
    await this.syncDir(dirname(to));
    await this.remove(from);
    return true;
  }

  /** @returns Whether the name is this file's now, be it by an earlier try: an NFS server may carry out a call twice. */
  async #link(from: string, to: string): Promise<boolean> {
    try {
      await this.#step(`link ${to}`, () => link(from, to));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      return isSameFile(from, to);
    }
  }

  /** A second file with the same content: a clone where the file system can, a copy elsewhere; fsynced; never replaces. */
  async copy(from: string, to: string): Promise<void> {
    await this.#step(`copy ${from} to ${to}`, async () => {
      await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      await chmod(to, this.#fileMode);
      if (this.#owner) await chown(to, this.#owner.uid, this.#owner.gid);
    });
    await this.#step(`fsync ${to}`, () => withFile(to, (file) => file.sync()));
  }

  async setTimes(path: string, ms: number): Promise<void> {
    await this.#step(`set times of ${path}`, () => utimes(path, ms / 1000, ms / 1000));
  }

  /** Removes one file; an absent one is fine. */
  async remove(path: string): Promise<void> {
    await this.#step(`remove ${path}`, async () => {
      await unlink(path).catch(ignore("ENOENT"));
    });
  }

  /** Removes a folder when it is empty; otherwise leaves it. */
  async removeEmptyDir(path: string): Promise<void> {
    await this.#step(`remove folder ${path}`, async () => {
      await rmdir(path).catch(ignore("ENOENT", "ENOTEMPTY", "EEXIST"));
    });
  }

  /** Removes a folder of this system's own (staging, scratch, set-aside data) with all in it. */
  async removeTree(path: string): Promise<void> {
    await this.#step(`remove tree ${path}`, () => rm(path, { recursive: true, force: true }));
  }

  /** Makes the names in a folder survive a power cut. */
  async syncDir(path: string): Promise<void> {
    await this.#step(`fsync folder ${path}`, async () => {
      // Some exports refuse to open a folder for this; the rename itself is then as durable as it gets.
      await withFile(path, (folder) => folder.sync()).catch(ignore("EINVAL", "EISDIR", "ENOTSUP", "EBADF"));
    });
  }
}

async function writeAll(file: SmallFileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    done += (await file.write(bytes, done, bytes.byteLength - done, position + done)).bytesWritten;
  }
}

const partBytes = 8 << 20;

/** Sends each part to the disk while the next is written, so that little waits for it, and tells `onSynced` when it is there. */
function syncedParts(file: SmallFileHandle, onSynced: WriteOptions["onSynced"]) {
  let told = 0;
  let telling = Promise.resolve();
  return {
    async wrote(doneBytes: number) {
      if (doneBytes - told < partBytes) return;
      const [from, to] = [told, doneBytes];
      told = doneBytes;
      // The part before has to be through: what waits for the disk stays bounded.
      await telling;
      telling = file.datasync().then(() => onSynced?.(from, to));
      telling.catch(() => {});
    },
    end: () => telling,
    async last(sizeBytes: number) {
      if (told < sizeBytes) await onSynced?.(told, sizeBytes);
    },
  };
}

/**
 * Node has no syncfs(2), coreutils and busybox have; a Mac's sync(1) does it for every file system. What could not be
 * written out is an error here, at the latest.
 */
async function syncFileSystem(path: string): Promise<void> {
  const args = process.platform === "darwin" ? [] : ["-f", path];
  await promisify(execFile)("sync", args, { env: { ...process.env, LC_ALL: "C" } }).catch((error) => {
    const full = /no space left|quota exceeded/i.test(String(error.stderr));
    throw Object.assign(error, { code: full ? "ENOSPC" : "EIO" });
  });
}

/** A hidden name in the same folder, which no listing takes for a backup. */
export function temporaryFor(path: string): string {
  // Not a secret, and there is nobody to collide with but oneself; `wx` finds that.
  const random = Math.floor(Math.random() * 2 ** 32).toString(16);
  return join(dirname(path), `.${basename(path)}.${random.padStart(8, "0")}.tmp`);
}

/** Whether a name is one that `temporaryFor` gives. */
export const isTemporary = (name: string) => /^\..+\.[0-9a-f]{8}\.tmp$/.test(name);

/** Whether two names that are there are one file. */
export async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([lstat(a), lstat(b)]);
  return one.ino === other.ino && one.dev === other.dev;
}

async function withFile<T>(path: string, use: (file: SmallFileHandle) => Promise<T>): Promise<T> {
  const file = await openSmall(path, "r");
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** For `catch`: swallows these error codes, throws the rest. */
export function ignore(...codes: string[]): (error: NodeJS.ErrnoException) => undefined {
  return (error) => {
    if (error.code === undefined || !codes.includes(error.code)) throw error;
    return undefined;
  };
}
