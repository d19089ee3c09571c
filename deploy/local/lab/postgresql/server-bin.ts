import { access, constants, readdir } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** Where Debian, PostgreSQL's RPMs and Homebrew keep the server's programs, off the PATH; setup.sh looks there too. */
const places = [
  { folder: "/usr/lib/postgresql", name: /^(\d+)$/ },
  { folder: "/usr", name: /^pgsql-(\d+)$/ },
  { folder: "/opt/homebrew/opt", name: /^postgresql(?:@(\d+))?$/ },
  { folder: "/usr/local/opt", name: /^postgresql(?:@(\d+))?$/ },
];

/**
 * @param root Of the places; for tests.
 * @returns The folder of the newest server's initdb, pg_ctl and postgres; the PATH is looked into last.
 * @throws {Error} when there is none.
 */
export async function findServerBin(root = "/", path = process.env.PATH ?? ""): Promise<string> {
  const installed = await Promise.all(places.map(({ folder, name }) => versionsIn(join(root, folder), name)));
  const folders = [...installed.flat(), ...path.split(delimiter).filter((folder) => folder !== "")];
  for (const folder of folders) {
    if ((await canRun(join(folder, "initdb"))) && (await canRun(join(folder, "pg_ctl")))) return folder;
  }
  throw new Error("Cannot find a PostgreSQL server: initdb and pg_ctl are wanted. make setup installs it, or says how");
}

/** Newest first; a name without a version is older than any. */
async function versionsIn(folder: string, name: RegExp): Promise<string[]> {
  const found = (await readdir(folder).catch(() => [])).flatMap((entry) => {
    const match = name.exec(entry);
    return match ? [{ bin: join(folder, entry, "bin"), version: Number(match[1] ?? 0) }] : [];
  });
  return found.sort((a, b) => b.version - a.version).map(({ bin }) => bin);
}

const canRun = (file: string) =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
