import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { AnyAppType } from "../shared/app.ts";
import type { Config } from "../shared/config.ts";
import { configOf, type Settings } from "../shared/config-of.ts";
import { readFile } from "../shared/files.ts";
import { parseJson } from "../shared/json.ts";

/*
 * A configuration changes once in months, and each run reads it: to parse it, and to make the schemas of all that it
 * might hold, takes an eighth of a run in which nothing changed. So what was made of it is kept beside what V8 has
 * compiled (`functions/parts.ts`), by the same bundle, and goes by all of its text.
 */

interface Kept {
  readonly path: string;
  readonly text: string;
  readonly settings: Settings;
}

/**
 * As `loadConfig`.
 * @param kept Where what was compiled for this function is kept; undefined keeps nothing. All functions share this.
 * @throws {Failure} `invalid_config`.
 */
export async function loadKeptConfig(
  path: string,
  types: readonly AnyAppType[],
  kept: string | undefined,
): Promise<Config> {
  const text = kept === undefined ? undefined : await readFile(path, "utf8").catch(() => undefined);
  if (kept === undefined || text === undefined) {
    return (await import("../shared/config.ts")).loadConfig(path, types);
  }
  const folder = dirname(kept);
  const wanted = { path: resolve(path), text };
  const found = readKept(folder);
  if (found?.path === wanted.path && found.text === text) return configOf(found.settings, types);
  const settings = (await import("../shared/config.ts")).parseSettings(text, wanted.path, types);
  keep(folder, { ...wanted, settings });
  return configOf(settings, types);
}

const fileIn = (folder: string) => join(folder, "config.json");

function readKept(folder: string): Kept | undefined {
  try {
    return parseJson(readFileSync(fileIn(folder), "utf8")) as Kept | undefined;
  } catch {
    return undefined;
  }
}

/** Not to the disk at once: a file that is cut short is no JSON. What cannot be kept is parsed again. */
function keep(folder: string, kept: Kept): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const temporary = `${fileIn(folder)}.${process.pid}.tmp`;
    writeFileSync(temporary, JSON.stringify(kept), { mode: 0o600 });
    renameSync(temporary, fileIn(folder));
  } catch {
    // A full disk, or one that must not be written to.
  }
}
