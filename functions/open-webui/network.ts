import { readFile, statfs } from "node:fs/promises";

/**
 * Magic numbers of file systems that several machines share (Linux, statfs(2)): NFS, SMB, CIFS, SMB2, 9p, Ceph, AFS,
 * GFS2, OCFS2, Lustre, GPFS.
 */
const shared = new Set([
  ...[0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x01021997, 0x00c36400, 0x5346414f, 0x01161970, 0x7461636f],
  ...[0x0bd00bd0, 0x47504653],
]);
/** FUSE: anything may be behind it, a network too. */
const fuse = 0x65735546;

export interface Network {
  /** Other machines may have the folder too. */
  readonly network: boolean;
  /** Locks of files there are seen by the other machines: without them a database is read torn while they write. */
  readonly locks: boolean;
}

/**
 * @param setting The user's own word, when it is not "auto".
 * @param look What is asked; for tests.
 */
export async function networkOf(
  folder: string,
  setting: boolean | "auto",
  look: { type(path: string): Promise<number>; mounts(): Promise<string> } = system,
): Promise<Network> {
  const type = async () => (await look.type(folder)) >>> 0;
  const network = setting === "auto" ? await type().then((found) => shared.has(found) || found === fuse) : setting;
  if (!network) return { network: false, locks: true };
  return { network, locks: locksReach(optionsFor(folder, await look.mounts())) };
}

/** Whether it is known to be a network's folder. */
export const isOnNetwork = async (folder: string) => shared.has((await system.type(folder)) >>> 0);

const system = {
  // The numbers are Linux's; elsewhere the setting has to say it.
  type: async (path: string) => (process.platform === "linux" ? (await statfs(path)).type : 0),
  mounts: () => readFile("/proc/self/mounts", "utf8").catch(() => ""),
};

/** Options of an NFS mount that keep locks on this machine (nfs(5)), and of an SMB mount (mount.cifs(8)). */
function locksReach(options: readonly string[]): boolean {
  return !options.some((option) => /^(nolock|local_lock=(all|posix|flock)|nobrl|noposixlock)$/.test(option));
}

/** The options of the mount that a folder lies in: of the last one listed with the longest path that leads to it. */
function optionsFor(folder: string, mounts: string): string[] {
  let found = { place: "", options: "" };
  for (const line of mounts.split("\n")) {
    const [, at = "", , options = ""] = line.split(" ");
    // Spaces and the like stand there as octal numbers.
    const place = at.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
    const leads = place === "/" || folder === place || folder.startsWith(`${place}/`);
    if (place !== "" && leads && place.length >= found.place.length) found = { place, options };
  }
  return found.options.split(",");
}
