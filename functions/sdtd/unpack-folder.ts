import { extractTar } from "../../shared/archive/extract.ts";
import type { Disk } from "../../shared/disk.ts";
import { Failure } from "../../shared/failures.ts";
import { type Archive, readArchive } from "./archive.ts";

/**
 * Unpacks an archive into a new folder, and proves what has arrived: the bytes that were unpacked are those of the
 * archive that was proven, and every file on the disk has those that the archive gave.
 * @param options.sync Whether all that was written to that file system is durable at the end.
 * @param options.sha256 Of the archive, when it was made; without it, it was proven a moment ago.
 * @returns The name of the folder in it.
 * @throws {Failure} `restore_failed`; `backup_damaged`; `backup_hostile` as `readArchive`.
 */
export async function unpackFolder(
  archive: Archive,
  into: string,
  options: {
    disk: Disk;
    sha256: string | undefined;
    sync: boolean;
    onBytes: (doneBytes: number) => void;
  },
): Promise<string> {
  const { file, signal, worker } = archive;
  const { disk, sync, onBytes } = options;
  const wanted = options.sha256 ?? (await file.sha256());
  let root = "";
  const entries = readArchive(archive, (name) => {
    root = name;
  });
  await extractTar(entries, into, {
    ...{ disk, name: file.path, modeMask: 0o755, worker, sync, onBytes },
    ...(signal && { signal }),
  });
  const unpacked = await file.sha256();
  if (unpacked === wanted) return root;
  throw new Failure(
    "backup_damaged",
    `Cannot restore "${file.path}": sha256 ${wanted} is wanted, the bytes that were unpacked have ${unpacked}`,
    {
      hint: "The file is not what was written, or the NAS or the network damages data. Nothing was replaced. Another restore point is needed, or a copy of this file from elsewhere.",
    },
  );
}
