import { fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { Script } from "node:vm";

/*
 * Loads the parts of a bundle (`functions/bundler.ts`), and keeps what V8 made of them when the process ends well: with
 * the functions that were compiled when they were first called, which Node's own compile cache leaves out, so that each
 * run compiles them again.
 */

/** What is kept is made anew until so many processes have added to it: a first backup calls other functions than most. */
const generations = 2;

interface Part {
  readonly name: string;
  readonly script: Script;
  /** How many processes have added to what was kept of it. */
  readonly generation: number;
}

/**
 * @param folder Of the bundle.
 * @param kept Where it is kept; undefined keeps nothing.
 * @returns A `require` for the parts of the bundle, and for everything else.
 */
export function partsOf(folder: string, kept: string | undefined): (id: string) => unknown {
  const others = createRequire(join(folder, "parts"));
  const modules = new Map<string, { exports: unknown }>();
  const parts: Part[] = [];
  const load = (id: string): unknown => {
    if (!id.startsWith("./")) return others(id);
    const known = modules.get(id);
    if (known) return known.exports;
    const module = { exports: {} };
    modules.set(id, module);
    const name = id.slice(2);
    const filename = join(folder, name);
    const found = kept === undefined ? undefined : readKept(join(kept, name));
    // The bundle is ASCII.
    const text = `(function (exports, require, module, __filename, __dirname) {${readFileSync(filename, "latin1")}\n})`;
    const script = new Script(text, { filename, ...(found && { cachedData: found.bytes }) });
    parts.push({ name, script, generation: found && !script.cachedDataRejected ? found.generation : 0 });
    script.runInThisContext()(module.exports, load, module, filename, folder);
    return module.exports;
  };
  if (kept !== undefined) process.once("exit", (status) => status === 0 && keep(kept, parts));
  return load;
}

/**
 * Where a process keeps it: where Node would, each function of stack.yml by its name, for a restore calls other functions
 * than a backup.
 * @param bundle A name that no other bundle has. V8 compares no more than lengths.
 * @param runPath Of run.json.
 */
export function keptFolder(bundle: string, runPath: string | undefined): string | undefined {
  const { NODE_COMPILE_CACHE: cache } = process.env;
  if (!cache) return undefined;
  try {
    const { function: name } = JSON.parse(readFileSync(runPath ?? "", "utf8")) as { function: unknown };
    return /^[a-z0-9-]{1,100}$/.test(String(name)) ? join(cache, "parts", bundle, String(name)) : undefined;
  } catch {
    return undefined;
  }
}

function readKept(path: string): { bytes: Buffer; generation: number } | undefined {
  try {
    const file = readFileSync(path);
    return { bytes: file.subarray(0, -1), generation: file.at(-1) ?? 0 };
  } catch {
    return undefined;
  }
}

/** What cannot be kept is compiled again. */
function keep(folder: string, parts: readonly Part[]): void {
  try {
    for (const { name, script, generation } of parts) {
      if (generation >= generations) continue;
      if (mkdirSync(folder, { recursive: true, mode: 0o700 })) removeOthers(dirname(folder));
      const temporary = join(folder, `.${name}.${process.pid}.tmp`);
      const file = openSync(temporary, "w", 0o600);
      writeSync(file, Buffer.concat([script.createCachedData(), Buffer.of(generation + 1)]));
      // V8 believes what it reads.
      fsyncSync(file);
      renameSync(temporary, join(folder, name));
    }
  } catch {
    // A full disk, or one that must not be written to.
  }
}

/** What was kept of older bundles. */
function removeOthers(bundle: string): void {
  for (const name of readdirSync(dirname(bundle))) {
    if (name !== basename(bundle)) rmSync(join(dirname(bundle), name), { recursive: true });
  }
}
