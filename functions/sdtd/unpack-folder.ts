import { extractTar } from "../../shared/archive/extract.ts";
import type { Disk } from "../../shared/disk.ts";
import { Failure } from "../../shared/failures.ts";
import { type Archive, readArchive } from "./archive.ts";

/**
 * Unpacks an archive that was proven, or whose checksum is that of one that was, into a new folder, and proves what has
 * arrived: the archive gave the same bytes as then, and every file on the disk has those that the archive gave.
 * @returns The name of the folder in it.
 * @throws {Failure} `restore_failed`; `backup_damaged`, `backup_hostile` as `readArchive`.
 */
export async function unpackFolder(
  archive: Archive,
  into: string,
  { disk, onBytes }: { disk: Disk; onBytes: (doneBytes: number) => void },
): Promise<string> {
  const { file, signal } = archive;
  const proven = await file.sha256();
  let root = "";
  const entries = readArchive(archive, (name) => {
    root = name;
  });
  await extractTar(entries, into, {
    ...{ disk, name: file.path, modeMask: 0o755, onBytes },
    ...(signal && { signal }),
  });
  if ((await file.sha256()) === proven) return root;
  throw new Failure(
    "restore_failed",
    `Cannot restore "${file.path}": sha256 ${proven} was proven, other bytes came when it was unpacked`,
    { hint: "The NAS or the network damages data. Nothing was replaced." },
  );
}
