import { gunzipBlocks } from "../../shared/archive/gzip.ts";
import { Failure } from "../../shared/failures.ts";
import type { ReadBack } from "../../shared/nas/read-back.ts";
import type { DumpSummary } from "./dump/scan.ts";

/** A dump that this process has scanned and packed, and what it then sent. */
export interface PackedDump {
  readonly summary: DumpSummary;
  /** Of the text that was scanned. */
  readonly textBytes: number;
  /** The compressed size of each block (`gzipBlocks`). */
  readonly blocks: readonly number[];
  /** Of the packed file. */
  readonly sha256: string;
}

let last: PackedDump | undefined;

/** A run packs one dump. */
export function rememberPacked(packed: PackedDump): void {
  last = packed;
}

/**
 * Proves that a file is the dump that this process has just packed, and still holds the text that was scanned: by its
 * sha256, and by inflating all of it against the CRC-32 and length that were taken of that text. So nothing is scanned
 * twice.
 * @returns undefined when it is another file, or is damaged: then it has to be scanned, which finds out where.
 */
export async function summaryOfPacked(file: ReadBack, signal?: AbortSignal): Promise<DumpSummary | undefined> {
  if (!last) return undefined;
  const { blocks, textBytes, summary, sha256 } = last;
  last = undefined;
  const text = gunzipBlocks(file.stream(), { blocks, maxBytes: textBytes, name: file.path, ...(signal && { signal }) });
  try {
    let sizeBytes = 0;
    for await (const chunk of text) sizeBytes += chunk.length;
    return sizeBytes === textBytes && (await file.sha256()) === sha256 ? summary : undefined;
  } catch (error) {
    if (error instanceof Failure && (error.code === "backup_damaged" || error.code === "backup_hostile"))
      return undefined;
    throw error;
  }
}
