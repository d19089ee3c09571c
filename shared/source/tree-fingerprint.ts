import { fileFingerprint } from "./fingerprint.ts";
import { TextHash } from "./text-hash.ts";
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
  const hash = new TextHash();
  let [files, sizeBytes] = [0, 0];
  await walkEach(root, options, (file) => {
    onFile?.(file);
    // JSON quotes whatever a path may hold, so no two sets of files write the same line.
    hash.add(`${JSON.stringify([file.path, file.kind])} ${fileFingerprint("", file.stat)}\n`);
    files += 1;
    sizeBytes += file.sizeBytes;
  });
  return { fingerprint: hash.hex(), files, sizeBytes };
}
