import type { BigIntStats } from "node:fs";
import { basename } from "node:path";

/**
 * What the file system says of a file's content without reading it: name, size, mtime and ctime in nanoseconds,
 * inode. Equal means that no byte was written since: ctime moves with every write and nobody can set it back.
 * The folder and the device are left out, because both may change between two mounts of the same file system.
 * @param stat From `stat(path, { bigint: true })`.
 */
export function fileFingerprint(path: string, stat: BigIntStats): string {
  return `${basename(path)} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs} ${stat.ino}`;
}
