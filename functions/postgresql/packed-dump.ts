import type { ReadBack } from "../../shared/nas/read-back.ts";
import type { DumpSummary } from "./dump/scan.ts";

/** A dump that this process has scanned and packed, each block proven as it was packed, and what it then sent. */
export interface PackedDump {
  readonly summary: DumpSummary;
  /** Of the packed file. */
  readonly sha256: string;
}

let last: PackedDump | undefined;

/** A run packs one dump. */
export function rememberPacked(packed: PackedDump): void {
  last = packed;
}

/**
 * What was scanned of a file that is, by its sha256, the dump that this process has just packed: then it holds that
 * text, and nothing is inflated or scanned twice.
 * @returns undefined when it is another file, or is damaged: then it has to be scanned, which finds out where.
 */
export async function summaryOfPacked(file: ReadBack): Promise<DumpSummary | undefined> {
  if (!last) return undefined;
  const { summary, sha256 } = last;
  last = undefined;
  return (await file.sha256()) === sha256 ? summary : undefined;
}
