import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** @returns The secret's content without surrounding blanks; undefined when there is none. Read anew each time. */
export type ReadSecret = (name: string) => Promise<string | undefined>;

export const secretsIn =
  (folder: string): ReadSecret =>
  async (name) =>
    (await readFile(join(folder, name), "utf8").catch(() => "")).trim() || undefined;
