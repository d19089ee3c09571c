import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { Failure } from "../failures.ts";
import type { AppFolders } from "../nas/nas.ts";

/** A file of a mirror's folder. */
export interface ListedFile {
  /** Below the folder, with "/" between its parts. */
  readonly path: string;
  /** Lower-case hex. */
  readonly sha256: string;
}

/*
 * The files of a mirror's folder with their checksums, one line each in the format of sha256sum, in
 * `.keepsake/<app>/folders/<sha256 of the list>.sha256`. Lists are never written over: a manifest names its own.
 */

export const listPath = (folders: AppFolders, sha256: string) => join(folders.folderSums, `${sha256}.sha256`);

/** @throws {Failure} `source_invalid` for a name that such a line cannot hold as it is. */
export function listLine({ path, sha256 }: ListedFile): string {
  if (!/[\\\x00-\x1f\x7f]/.test(path)) return `${sha256}  ${path}\n`;
  throw new Failure(
    "source_invalid",
    `Cannot keep ${JSON.stringify(path)}: a name without control characters is wanted`,
  );
}

/**
 * Reads a list that has been checked whole before its first line is told.
 * @param sha256 Of the list, as the manifest has it.
 * @throws {Failure} `backup_damaged` when the list is not there, or another one.
 */
export async function* readList(folders: AppFolders, sha256: string): AsyncGenerator<ListedFile> {
  const path = listPath(folders, sha256);
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk);
  } catch (cause) {
    throw new Failure("backup_damaged", `Cannot read the list of files "${path}": ${(cause as Error).message}`, {
      cause,
    });
  }
  if (hash.digest("hex") !== sha256) {
    throw new Failure("backup_damaged", `Cannot use the list of files "${path}": it is not what it was`);
  }
  // Not by `node:readline`: it breaks lines at more characters than this, and does not pass on what reading fails with.
  let rest = "";
  for await (const text of createReadStream(path, { encoding: "utf8" })) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() as string;
    for (const line of lines) yield { sha256: line.slice(0, 64), path: line.slice(66) };
  }
}
