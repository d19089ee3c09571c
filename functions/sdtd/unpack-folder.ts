import { join } from "node:path";
import { extractTar } from "../../shared/archive/extract.ts";
import type { Disk } from "../../shared/disk.ts";
import { Failure } from "../../shared/failures.ts";
import { proveSmall } from "../../shared/nas/read-back.ts";
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
  const sent: { path: string; sha256: string }[] = [];
  const entries = readArchive(archive, (name) => {
    root = name;
  });
  await extractTar(entries, into, {
    ...{ disk, name: file.path, modeMask: 0o755, onBytes },
    onFile: ({ path, sha256 }) => sent.push({ path, sha256 }),
    ...(signal && { signal }),
  });
  if ((await file.sha256()) !== proven) {
    throw failed(
      file.path,
      `sha256 ${proven} was proven, other bytes came when it was unpacked`,
      "The NAS or the network",
    );
  }
  const buffer = Buffer.allocUnsafeSlow(1 << 19);
  for (const { path, sha256 } of sent) {
    signal?.throwIfAborted();
    if ((await proveSmall(join(into, path), buffer)).sha256 === sha256) continue;
    throw failed(join(into, path), "the bytes that were sent are wanted, others arrived", "This disk or its memory");
  }
  return root;
}

function failed(path: string, why: string, culprit: string): Failure {
  return new Failure("restore_failed", `Cannot restore "${path}": ${why}`, {
    hint: `${culprit} damages data. Nothing was replaced.`,
  });
}
