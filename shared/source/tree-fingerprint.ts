import { StatHash } from "./stat-hash.ts";
import { type WalkedFile, type WalkOptions, walkEach } from "./walk.ts";

export interface TreeFingerprint {
  /** Equal means: the same names, and no byte below them was written since. */
  readonly fingerprint: string;
  readonly files: number;
  readonly sizeBytes: number;
}

/**
 * What the file system says of the files below a folder, without reading them. Empty folders do not count; links and
 * special files do, as what they are.
 * @param options.onFile Sees every file on the way, so that one walk does for both.
 * @throws {Failure} As `walkFiles`.
 */
export async function treeFingerprint(
  root: string,
  { onFile, ...options }: Omit<WalkOptions, "folders"> & { onFile?: (file: WalkedFile) => void } = {},
): Promise<TreeFingerprint> {
  const hash = new StatHash();
  let [files, sizeBytes] = [0, 0];
  await walkEach(root, options, (file) => {
    onFile?.(file);
    hash.add(`${file.kind} ${file.path}`, file.stat);
    files += 1;
    sizeBytes += file.sizeBytes;
  });
  return { fingerprint: hash.hex(), files, sizeBytes };
}
