import * as now from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { promisify } from "node:util";
import { answersAtOnce } from "./source/file-system.ts";
import { takingTurns } from "./source/walk.ts";

/*
 * The calls of node:fs/promises that a run makes by the hundred, for small files. A call takes some microseconds, asking
 * another thread for it and waiting ten times as long; so where the disk is this machine's own they are made at once.
 * Everywhere else, and in a process that never said where, they are Node's own: a hung network file system holds a
 * thread then, not the process.
 */

const near = new Set<string>();

/**
 * From now on calls below this folder are made at once, if it is on a disk of this machine. For a process that does one
 * thing at a time.
 */
export async function callAtOnceBelow(folder: string): Promise<void> {
  if (await answersAtOnce(folder).catch(() => false)) near.add(folder);
}

function isNear(path: string): boolean {
  for (const folder of near) if (path.startsWith(folder) && (path[folder.length] ?? "/") === "/") return true;
  return false;
}

// Signals and timers are heard between calls, however many follow each other.
const turns = takingTurns();

async function inTurn<T>(call: () => T): Promise<T> {
  if (turns.isOver()) await turns.next();
  return call();
}

/** The same call in the one way or the other; not by `node:fs/promises`, which loads streams first. */
// biome-ignore lint/suspicious/noExplicitAny: it has the overloads of `asked`, which TypeScript cannot follow
function either<Asked extends (path: any, ...rest: any[]) => Promise<unknown>>(
  // biome-ignore lint/suspicious/noExplicitAny: as above
  made: (path: any, ...rest: any[]) => unknown,
  asked: Asked,
): Asked {
  return ((path, ...rest) =>
    typeof path === "string" && isNear(path) ? inTurn(() => made(path, ...rest)) : asked(path, ...rest)) as Asked;
}

export const access = either(now.accessSync, promisify(now.access));
export const link = either(now.linkSync, promisify(now.link));
export const lstat = either(now.lstatSync, promisify(now.lstat));
export const realpath = either(now.realpathSync.native, promisify(now.realpath.native));
export const readdir = either(now.readdirSync, promisify(now.readdir));
/** For small files: a big one keeps the process from everything else. */
export const readFile = either(now.readFileSync, promisify(now.readFile));
export const rename = either(now.renameSync, promisify(now.rename));
export const stat = either(now.statSync, promisify(now.stat));
export const unlink = either(now.unlinkSync, promisify(now.unlink));

/** Of an open file what small ones need. */
export type SmallFileHandle = Pick<FileHandle, "sync" | "datasync" | "chown" | "chmod" | "utimes" | "close"> & {
  stat(): Promise<now.Stats>;
  read(bytes: Buffer, offset: number, length: number, position: number): Promise<{ bytesRead: number; buffer: Buffer }>;
  write(bytes: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesWritten: number }>;
};

/** Opens a small file, or a folder. */
export const openSmall = async (path: string, flags: string | number, mode?: number): Promise<SmallFileHandle> =>
  isNear(path) ? inTurn(() => handleOf(now.openSync(path, flags, mode))) : open(path, flags, mode);

const atOnceBytes = 1 << 16;

const handleOf = (fd: number): SmallFileHandle => ({
  stat: async () => now.fstatSync(fd),
  read: async (buffer, offset, length, position) =>
    length > atOnceBytes
      ? promisify(now.read)(fd, buffer, offset, length, position)
      : { buffer, bytesRead: now.readSync(fd, buffer, offset, length, position) },
  write: async (...what) => ({ bytesWritten: now.writeSync(fd, ...what) }),
  chown: async (...owner) => now.fchownSync(fd, ...owner),
  chmod: async (mode) => now.fchmodSync(fd, mode),
  utimes: async (...times) => now.futimesSync(fd, ...times),
  close: async () => now.closeSync(fd),
  // The disk itself may take its time.
  sync: () => promisify(now.fsync)(fd),
  datasync: () => promisify(now.fdatasync)(fd),
});
