import { statfs } from "node:fs";
import { promisify } from "node:util";

/** `f_type` of file systems that ask somebody else, from statfs(2): NFS, SMB, CIFS, 9p, Ceph, AFS, Coda, FUSE. */
const remote: ReadonlySet<number> = new Set([
  0x6969, 0xfe534d42, 0xff534d42, 0x01021997, 0x00c36400, 0x5346414f, 0x73757245, 0x65735546,
]);

/**
 * Whether a folder is on a disk of this machine: then a call takes less time than asking another thread for it, so many
 * small files are best read and written with synchronous calls. Anything else could keep the process waiting for ever.
 */
export async function answersAtOnce(folder: string): Promise<boolean> {
  if (process.platform !== "linux") return false;
  return !remote.has((await promisify(statfs)(folder)).type >>> 0);
}
