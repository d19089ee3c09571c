import { Failure } from "../../shared/failures.ts";

/** What a SQLite file says of itself in its first 100 bytes (sqlite.org/fileformat2.html, section 1.3). */
export interface Header {
  readonly pageBytes: number;
  /** Undefined when the file was last written by a SQLite that did not keep it (before 3.7). */
  readonly pages?: number;
  /** Pages that hold nothing. */
  readonly freePages: number;
  /** Whether its journal mode is WAL. */
  readonly wal: boolean;
}

export const headerBytes = 100;
const magic = Buffer.from("SQLite format 3\0");

/** @returns undefined when these are not the first bytes of a SQLite file. */
export function parseHeader(bytes: Buffer): Header | undefined {
  if (bytes.length < headerBytes || !bytes.subarray(0, magic.length).equals(magic)) return undefined;
  const size = bytes.readUInt16BE(16);
  const pageBytes = size === 1 ? 65_536 : size;
  const [writeVersion, readVersion] = [bytes[18], bytes[19]];
  const isPower = pageBytes >= 512 && (pageBytes & (pageBytes - 1)) === 0;
  if (!isPower || ![1, 2].includes(writeVersion as number) || ![1, 2].includes(readVersion as number)) return undefined;
  // The number of pages counts only when the writer of the last change kept it: it then repeats the change counter.
  const kept = bytes.readUInt32BE(24) === bytes.readUInt32BE(92) && bytes.readUInt32BE(28) > 0;
  const freePages = bytes.readUInt32BE(36);
  return { pageBytes, wal: readVersion === 2, freePages, ...(kept && { pages: bytes.readUInt32BE(28) }) };
}

/**
 * Checks that a file is as long as its header says.
 * @throws {Failure} `backup_damaged`.
 */
export function requireWhole(path: string, sizeBytes: number, head: Buffer): Header {
  const header = parseHeader(head);
  if (!header) {
    throw new Failure("backup_damaged", `Cannot vouch for "${path}": a SQLite database is wanted, its header is none`);
  }
  const wanted = header.pages === undefined ? undefined : header.pages * header.pageBytes;
  if (sizeBytes === 0 || sizeBytes % header.pageBytes !== 0 || (wanted !== undefined && wanted !== sizeBytes)) {
    throw new Failure(
      "backup_damaged",
      `Cannot vouch for "${path}": ${wanted ?? `a multiple of ${header.pageBytes}`} bytes are wanted, are ${sizeBytes}`,
    );
  }
  return header;
}
