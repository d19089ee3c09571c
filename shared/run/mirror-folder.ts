import { createHash, hash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Disk, ignore } from "../disk.ts";
import { Failure } from "../failures.ts";
import type { FileWorker } from "../file-worker.ts";
import { lstat } from "../files.ts";
import type { SmallFile } from "../files-now.ts";
import type { MirrorFolder, MirrorFolderFile } from "../mirror-app.ts";
import type { AppFolders } from "../nas/nas.ts";
import type { Manifest } from "../nas/points.ts";
import { sha256Of } from "../nas/publish.ts";
import { proveMany } from "../nas/read-many.ts";
import { contentOf } from "../source/chunks.ts";
import { treeFingerprint } from "../source/tree-fingerprint.ts";
import { walkFiles } from "../source/walk.ts";
import type { MirrorRun } from "./app-run.ts";
import { type ListedFile, listLine, listPath, readList } from "./folder-list.ts";
import { incomingFolder } from "./mirror-incoming.ts";

type Entry = Manifest["files"][number];

/** Files up to this size are read whole, and written several at a time. */
const smallBytes = 1 << 20;
const batchBytes = 4 << 20;
const batchFiles = 128;
/** Batches that are held in memory: one is read, one is written, one waits. */
const roomCount = 3;

/** Finder leaves hidden files in every folder that it shows: they are nobody's. */
const isHidden = (path: string) => path.startsWith(".", path.lastIndexOf("/") + 1);

/** What the folder on the NAS is, without reading its files. */
export const folderFingerprint = async (path: string) => (await treeFingerprint(path, { skip: isHidden })).fingerprint;

/** Whether the folder has exactly the files of its list, by reading all of them. */
export async function isListed(
  folders: AppFolders,
  { sha256 }: Entry,
  path: string,
  signal: AbortSignal,
): Promise<boolean> {
  let listed = 0;
  try {
    for await (const files of batches(readList(folders, sha256))) {
      listed += files.length;
      const paths = files.map((file) => file.path);
      const found = await proveMany(path, paths, { signal });
      if (files.some(({ sha256: wanted }, index) => found[index]?.sha256 !== wanted)) return false;
    }
  } catch {
    signal.throwIfAborted();
    return false;
  }
  return (await treeFingerprint(path, { skip: isHidden })).files === listed;
}

/**
 * Copies a folder to the NAS. All files are copied beside it, read back and synced first. Then a new folder gets its
 * name at once; one that is there already takes over the new files one by one, each of them whole, and loses those
 * that the source has no more last. What a killed run had copied is used again, once it has been compared.
 * @throws {Failure} `source_changing`, `source_invalid`, `nas_write_failed`.
 */
export async function placeFolder(run: MirrorRun, unit: MirrorFolder, root: string): Promise<Entry> {
  const staged = incomingFolder(run, unit);
  await run.ctx.disk.makeDir(dirname(staged));
  // Loaded here: other runs need no threads.
  const worker = await (await import("../file-worker.ts")).fileWorkerFor(dirname(staged), unit.sizeBytes);
  try {
    return await placeStaged(run, unit, { target: join(root, unit.path), staged, worker });
  } finally {
    await worker?.end();
  }
}

/** Where a folder is copied to first, where it shall be, and who helps. */
interface Placing {
  readonly target: string;
  readonly staged: string;
  readonly worker: FileWorker | undefined;
}

async function placeStaged(run: MirrorRun, unit: MirrorFolder, { target, staged, worker }: Placing): Promise<Entry> {
  const { ctx, folders } = run;
  const isThere = (await lstat(target).catch(ignore("ENOENT")))?.isDirectory() ?? false;
  const goesOn = (await lstat(staged).catch(ignore("ENOENT"))) !== undefined;
  const stagedList = `${staged}.sha256`;
  await ctx.disk.makeDir(staged);
  await ctx.disk.remove(stagedList);
  let [files, sizeBytes] = [0, 0];
  async function* lines() {
    let text = "";
    for await (const file of copyFiles(run, unit, { staged, worker, present: isThere ? target : undefined, goesOn })) {
      files += 1;
      sizeBytes += file.sizeBytes;
      text += listLine(file);
      if (text.length < 1 << 16) continue;
      yield Buffer.from(text);
      text = "";
    }
    yield Buffer.from(text);
  }
  const list = await ctx.disk.write(stagedList, lines(), { signal: ctx.signal });
  if ((await unit.look()) !== unit.fingerprint) {
    throw new Failure("source_changing", `Cannot copy "${unit.path}": its files changed while they were copied`, {
      hint: "Something writes into it. The next run goes on with what was copied.",
    });
  }
  await ctx.disk.makeDir(folders.folderSums);
  await ctx.disk.rename(stagedList, listPath(folders, list.sha256));
  // A new folder gets its name with all that is in it.
  if (goesOn && !isThere) await removeUnlisted(run, staged, list.sha256);
  await ctx.disk.syncFileSystem(folders.incoming);
  await readBack(run, staged, list.sha256, worker);
  await ctx.disk.makeDir(dirname(target));
  if (!isThere) await ctx.disk.rename(staged, target);
  else await takeOver(run, staged, target, list.sha256);
  const { path: name, fingerprint: checksum } = unit;
  return { kind: "folder", name, sizeBytes, sha256: list.sha256, checksum, about: { files } };
}

/** Stages every file that the NAS does not have as it is, and tells all of them in their order. */
async function* copyFiles(
  { ctx }: MirrorRun,
  unit: MirrorFolder,
  { staged, worker, present, goesOn }: Omit<Placing, "target"> & { present: string | undefined; goesOn: boolean },
): AsyncGenerator<ListedFile & { sizeBytes: number }> {
  const folders = new Set([staged]);
  const rooms = Array.from({ length: roomCount }, () => new Room());
  let doneBytes = 0;
  let batchCount = 0;
  let writing = Promise.resolve();
  try {
    for await (const batch of batches(unit.files())) {
      ctx.signal.throwIfAborted();
      const room = rooms[batchCount++ % rooms.length] as Room;
      await room.written;
      const read = await readSources(batch, room);
      const small: SmallFile[] = [];
      for (const { file, sha256, bytes } of read) {
        const path = join(staged, file.path);
        const isStaged = goesOn && (await hasContent(path, file.sizeBytes, sha256, ctx.signal));
        // Of an earlier state, which a run that was killed or refused had begun to copy.
        if (goesOn && !isStaged && (await lstat(path).catch(ignore("ENOENT", "ENOTDIR")))) {
          await ctx.disk.removeTree(path);
        }
        const stands = present && (await hasContent(join(present, file.path), file.sizeBytes, sha256, ctx.signal));
        if (isStaged || stands) continue;
        if (!folders.has(dirname(path))) await ctx.disk.makeDir(dirname(path));
        folders.add(dirname(path));
        if (bytes) small.push({ path, bytes });
        else await ctx.disk.write(path, contentOf(file.from), { sync: false, signal: ctx.signal });
      }
      // The next files are read while these are written. A thread takes one batch after the other by itself.
      const write = () => ctx.disk.writeMany(small, worker);
      room.written = worker ? write() : writing.then(write);
      writing = Promise.all([writing, room.written]).then(() => {});
      writing.catch(() => {});
      for (const { file, sha256 } of read) {
        doneBytes += file.sizeBytes;
        yield { path: file.path, sha256, sizeBytes: file.sizeBytes };
      }
      ctx.progress("copying", doneBytes);
    }
    await writing;
  } finally {
    await writing.catch(() => {});
  }
}

/** Memory for the content of a batch, used again once that is written. Other threads see it, too. */
class Room {
  written = Promise.resolve();
  #memory: Buffer = Buffer.alloc(0);

  of(sizeBytes: number): Buffer {
    if (this.#memory.length < sizeBytes) {
      this.#memory = Buffer.from(new SharedArrayBuffer(Math.max(sizeBytes, batchBytes + smallBytes)));
    }
    return this.#memory.subarray(0, sizeBytes);
  }
}

interface Read {
  readonly file: MirrorFolderFile;
  readonly sha256: string;
  /** Of a small one. */
  readonly bytes?: Buffer;
}

/** The hashes of some source files, with the content of those that are small. */
async function readSources(files: readonly MirrorFolderFile[], memory: Room): Promise<Read[]> {
  const small = files.filter(({ sizeBytes }) => sizeBytes <= smallBytes);
  const room = memory.of(small.reduce((sum, { sizeBytes }) => sum + sizeBytes + 1, 0));
  let used = 0;
  const read: Read[] = [];
  for (const file of files) {
    if (file.sizeBytes > smallBytes) {
      read.push({ file, sha256: await hashBigSource(file) });
      continue;
    }
    // One byte more than it had shows that it grew.
    const bytes = readSmallSource(file, room.subarray(used, used + file.sizeBytes + 1));
    used += file.sizeBytes + 1;
    read.push({ file, sha256: hash("sha256", bytes), bytes });
  }
  return read;
}

/** Synchronous: the source is on a disk of this machine, where asking another thread takes longer than reading. */
function readSmallSource(file: MirrorFolderFile, room: Buffer): Buffer {
  let fd: number;
  try {
    fd = openSync(file.from, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw changed(file, error);
    throw error;
  }
  try {
    if (readSync(fd, room, 0, room.length, 0) !== file.sizeBytes) throw changed(file);
    return room.subarray(0, file.sizeBytes);
  } finally {
    closeSync(fd);
  }
}

async function hashBigSource(file: MirrorFolderFile): Promise<string> {
  const sum = createHash("sha256");
  let sizeBytes = 0;
  try {
    for await (const chunk of contentOf(file.from)) {
      sum.update(chunk);
      sizeBytes += chunk.length;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw changed(file, error);
    throw error;
  }
  if (sizeBytes !== file.sizeBytes) throw changed(file);
  return sum.digest("hex");
}

const changed = ({ from }: MirrorFolderFile, cause?: unknown) =>
  new Failure("source_changing", `Cannot copy "${from}": it changed while it was copied`, {
    cause,
    hint: "Something writes into the folder. The next run goes on with what was copied.",
  });

/** Whether a file is there with this content. */
async function hasContent(path: string, sizeBytes: number, sha256: string, signal: AbortSignal): Promise<boolean> {
  const found = await lstat(path).catch(ignore("ENOENT", "ENOTDIR"));
  return found?.isFile() === true && found.size === sizeBytes && (await sha256Of(path, signal)) === sha256;
}

/** Reads what was copied, past the client's cache where the system allows it, and compares. */
async function readBack(
  { ctx, folders }: MirrorRun,
  staged: string,
  list: string,
  other: FileWorker | undefined,
): Promise<void> {
  let doneBytes = 0;
  for await (const files of batches(readList(folders, list))) {
    const paths = files.map(({ path }) => path);
    for (const [index, found] of (await proveMany(staged, paths, { signal: ctx.signal, other })).entries()) {
      // What the NAS had already was read when it was compared.
      if (!found) continue;
      doneBytes += found.sizeBytes;
      const sent = files[index]?.sha256;
      if (found.sha256 === sent) continue;
      throw new Failure(
        "nas_write_failed",
        `Cannot write "${join(staged, paths[index] as string)}": sha256 ${sent} was sent, ${found.sha256} was read back`,
        { hint: "The NAS, its disks or the network damage data. Nothing was published." },
      );
    }
    ctx.progress("verifying", doneBytes);
  }
}

/** Moves the staged files into a folder that is in use, each whole, then removes what the list does not have. */
async function takeOver({ ctx, folders }: MirrorRun, staged: string, target: string, list: string): Promise<void> {
  const made = new Set([target]);
  for await (const files of batches(readList(folders, list))) {
    const moves: { from: string; to: string }[] = [];
    for (const { path } of files) {
      const [from, to] = [join(staged, path), join(target, path)];
      if (!(await lstat(from).catch(ignore("ENOENT", "ENOTDIR")))) continue;
      if (!made.has(dirname(to))) {
        await clearWay(ctx.disk, target, dirname(path));
        await ctx.disk.makeDir(dirname(to));
      }
      made.add(dirname(to));
      if ((await lstat(to).catch(ignore("ENOENT")))?.isDirectory()) await ctx.disk.removeTree(to);
      moves.push({ from, to });
    }
    await ctx.disk.renameMany(moves);
  }
  await removeUnlisted({ ctx, folders }, target, list);
  await ctx.disk.syncFileSystem(target);
}

/** Removes what stands where a folder has to be: no list has both. A link leads to somebody else's files. */
async function clearWay(disk: Disk, target: string, folder: string): Promise<void> {
  let path = target;
  for (const name of folder === "." ? [] : folder.split("/")) {
    path = join(path, name);
    const found = await lstat(path).catch(ignore("ENOENT"));
    if (!found) return;
    if (!found.isDirectory()) await disk.remove(path);
  }
}

async function removeUnlisted(
  { ctx, folders }: Pick<MirrorRun, "ctx" | "folders">,
  folder: string,
  list: string,
): Promise<void> {
  const listed = new Set<string>();
  for await (const { path } of readList(folders, list)) listed.add(path);
  for await (const { path, kind } of walkFiles(folder, { skip: isHidden })) {
    if (kind === "file" && !listed.has(path)) await ctx.disk.remove(join(folder, path));
  }
}

/** Several at a time: as many files as are worth it, and no more bytes than memory has room for. */
async function* batches<F extends { path: string; sizeBytes?: number }>(files: AsyncIterable<F>): AsyncGenerator<F[]> {
  let batch: F[] = [];
  let bytes = 0;
  for await (const file of files) {
    batch.push(file);
    bytes += file.sizeBytes ?? 0;
    if (batch.length < batchFiles && bytes < batchBytes) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}
