import { basename } from "node:path";
import type { Disk } from "../../shared/disk.ts";
import { Failure } from "../../shared/failures.ts";
import { openReadBack } from "../../shared/nas/read-back.ts";

export interface BlobCopy {
  /** Absolute, its last part being what its content has to hash to. */
  readonly from: string;
  readonly to: string;
  readonly disk: Disk;
  readonly signal: AbortSignal;
  onBytes(doneBytes: number): void;
}

/**
 * Copies a blob and proves it twice: what was read, and what arrived.
 * @throws {Failure} `backup_damaged` when it is not what its name says, `restore_failed` when it did not arrive so.
 */
export async function copyBlob({ from, to, disk, signal, onBytes }: BlobCopy): Promise<void> {
  const name = basename(from);
  const file = await openReadBack(from, { signal });
  try {
    const { sha256 } = await disk.write(to, file.stream(), { signal, onBytes });
    if (`sha256-${sha256}` !== name) {
      throw new Failure("backup_damaged", `"${from}" is damaged on the NAS: its content has the sha256 ${sha256}`);
    }
  } finally {
    await file.close();
  }
  const arrived = await openReadBack(to, { signal });
  try {
    const sha256 = await arrived.sha256();
    if (`sha256-${sha256}` === name) return;
    throw new Failure("restore_failed", `Cannot restore "${name}": what arrived has the sha256 ${sha256}`, {
      hint: "This disk or its memory damages data. Nothing was replaced.",
    });
  } finally {
    await arrived.close();
  }
}
