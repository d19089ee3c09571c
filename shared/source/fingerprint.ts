import type { Stats } from "node:fs";
import { basename } from "node:path";

/** From `stat` or `lstat`. Not with `bigint`, which takes half as long again for each of very many files. */
export type FileStat = Pick<Stats, "size" | "mtimeMs" | "ctimeMs" | "ino">;

/**
 * What the file system says of a file's content without reading it: name, size, mtime and ctime, inode. Equal means
 * that no byte was written since: ctime moves with every write and nobody can set it back.
 * The folder and the device are left out, because both may change between two mounts of the same file system.
 *
 * Times are numbers of milliseconds, which in this century tell moments a quarter of a microsecond apart. A write is
 * missed only if it is nearer than that to the one before, with this look between the two: no system call is so short,
 * and file systems whose clock moves in milliseconds tell less in any case.
 */
export function fileFingerprint(path: string, { size, mtimeMs, ctimeMs, ino }: FileStat): string {
  return `${basename(path)} ${size} ${mtimeMs} ${ctimeMs} ${ino}`;
}
