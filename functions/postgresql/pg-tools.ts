import { execFile } from "node:child_process";
import { access, constants, readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Failure } from "../../shared/failures.ts";
import type { Settings } from "./settings.ts";

export interface PgDump {
  readonly path: string;
  /** "15.18" */
  readonly version: string;
  readonly major: number;
  readonly minor: number;
  /** Whether this pg_dump knows an option: "--restrict-key". */
  knows(option: string): boolean;
}

const run = promisify(execFile);
const debianFolder = "/usr/lib/postgresql";

/**
 * Finds pg_dump: in the settings' folder, else the newest that Debian has installed, else on the PATH.
 * @throws {Failure} `tool_missing`.
 */
export async function findPgDump({ bin }: Pick<Settings, "bin">): Promise<PgDump> {
  const path = join(bin ?? (await newestFolder()), "pg_dump");
  const ask = async (option: string) =>
    (
      await run(path, [option], { env: { PATH: process.env.PATH ?? "", LC_ALL: "C" } }).catch((cause) => {
        throw new Failure("tool_missing", `Cannot run "${path}": ${cause.message}`, {
          cause,
          hint: 'Install postgresql-client, or name the folder of pg_dump as the setting "bin".',
        });
      })
    ).stdout;
  const text = await ask("--version");
  const [, version = "", major = "", minor = ""] =
    /\s((\d+)\.(\d+))/.exec(text) ?? /\s((\d+)\D+(\d*))/.exec(text) ?? [];
  if (major === "") throw new Failure("tool_missing", `Cannot use "${path}": a version is wanted, is ${text.trim()}`);
  const help = await ask("--help");
  return { path, version, major: Number(major), minor: Number(minor), knows: (option) => help.includes(`${option}`) };
}

async function newestFolder(): Promise<string> {
  const majors = (await readdir(debianFolder).catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const major of majors.sort((a, b) => Number(b) - Number(a))) {
    const folder = join(debianFolder, major, "bin");
    const usable = await access(join(folder, "pg_dump"), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (usable) return folder;
  }
  return "";
}

/** By major: the first minor release whose psql keeps to `\restrict` (CVE-2026-18408), and the first that has it. */
const fixed: Readonly<Record<number, { restrict: number; bypass: number }>> = {
  13: { restrict: 22, bypass: Number.POSITIVE_INFINITY },
  14: { restrict: 19, bypass: 24 },
  15: { restrict: 14, bypass: 19 },
  16: { restrict: 10, bypass: 15 },
  17: { restrict: 6, bypass: 11 },
  18: { restrict: 0, bypass: 6 },
};

/**
 * What is to be said of a client: it decides what a restore by hand, with its psql, is exposed to.
 * @returns undefined when there is nothing to say.
 */
export function clientWarning({
  version,
  major,
  minor,
}: Pick<PgDump, "version" | "major" | "minor">): string | undefined {
  const wanted =
    fixed[major] ?? (major < 13 ? { restrict: Number.POSITIVE_INFINITY, bypass: Number.POSITIVE_INFINITY } : undefined);
  if (!wanted || minor >= wanted.bypass) return undefined;
  const release = (first: number) => (Number.isFinite(first) ? `${major}.${first} fixes it` : "no release of it will");
  return minor < wanted.restrict
    ? `PostgreSQL client ${version} writes dumps that psql may run programs from (CVE-2025-8714): ${release(wanted.restrict)}. Keepsake restores without psql; do not restore by hand before it is updated.`
    : `PostgreSQL client ${version} has a psql whose \\restrict can be bypassed (CVE-2026-18408): ${release(wanted.bypass)}. Keepsake restores without psql; update it before restoring by hand a dump that you do not trust.`;
}
