import { dirname, join, relative, sep } from "node:path";
import { promisify } from "node:util";
import { type Plugin, rolldown } from "rolldown";
import { root } from "./bundle.ts";
import type { Program } from "./programs.ts";
import { schemasAtFirstUse } from "./schemas-at-first-use.ts";
import { typeFolders } from "./types.ts";

export interface BundleOptions {
  /** From the bundle's folder, where the sources' root is when it runs: what starts another source finds it there. */
  readonly rootFromBundle: string;
  /** Other programs are found as bundles, each in the folder of its name beside this one. */
  readonly amongBundles: boolean;
}

/** Writes one program as few files into a folder; `<program>.cjs` is what Node starts. */
export async function bundleProgram(
  program: Program,
  folder: string,
  { rootFromBundle, amongBundles }: BundleOptions = { rootFromBundle: relative(folder, root), amongBundles: false },
): Promise<void> {
  const types = await listOfTypes();
  const plugins = [
    ...(amongBundles ? [programsBeside] : []),
    placesOfSources(rootFromBundle),
    schemasAtFirstUse,
    builtinsAtFirstUse,
    logWithoutThreads,
  ];
  const source = JSON.stringify(join(root, `functions/${program}.ts`));
  // The others begin once and stay.
  if (program !== "run") {
    const code = `import { main } from ${source}; main();`;
    await writeBundle({ [program]: entry }, folder, [virtual(entry, code), types, ...plugins]);
    return;
  }
  const own = [virtual(entry, `export { main } from ${source};`), types, ...plugins];
  const main = await writeBundle({ main: entry }, folder, own, "[name]-[hash].cjs");
  await writeBundle({ [program]: loader }, folder, [virtual(loader, loading(main))]);
  // Each by itself: a part that it shared with the program would be the program, which begins when it is loaded.
  for (const [name, source] of threads) await writeBundle({ [name]: source }, folder, plugins);
}

/** What the runner starts as threads. */
const threads = [["file-thread", join(root, "shared/file-thread.ts")]] as const;

/** @returns The name of the file to begin with. */
async function writeBundle(
  input: Record<string, string>,
  folder: string,
  plugins: Plugin[],
  entryFileNames = "[name].cjs",
): Promise<string> {
  const bundle = await rolldown({
    input,
    platform: "node",
    preserveEntrySignatures: "allow-extension",
    plugins: [...plugins, asciiOnly],
    // The package's own files of 80 modules are functions to call; those for browsers are one scope.
    resolve: { alias: { yaml: join(root, "node_modules/yaml/browser/dist/index.js") } },
  });
  const { output } = await bundle.write({
    dir: folder,
    // Node loads it 10 ms faster than a module, and keeps 6 MB less for it.
    format: "cjs",
    entryFileNames,
    chunkFileNames: "[name]-[hash].cjs",
    // Names stay, for the stack traces of what nobody foresaw.
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
  });
  await bundle.close();
  return output[0].fileName;
}

const loader = "keepsake:loader";
const entry = "keepsake:program";

/** What Node starts. Parts are named after their content, so nothing that was kept of another one is found. */
const loading = (
  main: string,
) => `import { keptFolder, partsOf } from ${JSON.stringify(join(root, "functions/parts.ts"))};
  const kept = keptFolder(${JSON.stringify(main)}, process.argv[3]);
  partsOf(__dirname, kept)(${JSON.stringify(`./${main}`)}).main(kept);`;

const virtual = (name: string, code: string): Plugin => ({
  name,
  resolveId: (id) => (id === name ? id : undefined),
  load: (id) => (id === name ? code : undefined),
});

/** `functions/types.ts` without looking into folders. */
export async function listOfTypes(): Promise<Plugin> {
  const types = await typeFolders();
  return {
    name: "list of types",
    load(id) {
      if (id !== join(root, "functions/types.ts")) return undefined;
      const imports = types.map((type, index) => `import { app as app${index} } from "./${type}/app.ts";`);
      return `${imports.join("\n")} export const loadAppTypes = async () => [${types.map((_, index) => `app${index}`)}];`;
    },
  };
}

/** `functions/programs.ts` where no program runs from its source. */
const programsBeside: Plugin = {
  name: "programs beside",
  load(id) {
    if (id !== join(root, "functions/programs.ts")) return undefined;
    return `import { join } from "node:path";
      export const programPath = (program) => join(__dirname, "..", program, program + ".cjs");`;
  },
};

/** A source that starts another one as a process, or reads a file, finds it where it is; a thread is in the bundle. */
const placesOfSources = (rootFromBundle: string): Plugin => ({
  name: "places of sources",
  transform(code, id) {
    if (!code.includes("import.meta.") || !id.startsWith(root) || id.includes("node_modules")) return undefined;
    const path = join(rootFromBundle, relative(root, id)).replaceAll(sep, "/");
    const inBundle = (part: string) => `require("node:path").join(__dirname, ${JSON.stringify(part)})`;
    return code
      .replaceAll(
        /new URL\("\.\/([\w-]+-thread)\.ts", import\.meta\.url\)/g,
        (_, thread) => `require("node:path").join(__dirname, "${thread}.cjs")`,
      )
      .replaceAll("import.meta.dirname", inBundle(dirname(path)))
      .replaceAll("import.meta.url", `require("node:url").pathToFileURL(${inBundle(path)}).href`)
      .replaceAll("import.meta.main", "false");
  },
});

/** Node's own modules that many runs do not need: each is loaded when one of its functions is called. */
const builtinsAtFirstUse: Plugin = {
  name: "builtins at first use",
  resolveId(id, importer) {
    const isWanted = /^(node:crypto|node:child_process|(node:)?zlib|(node:)?assert)$/.test(id);
    // Packages make objects of its classes, which these functions are not.
    const isOurs = /^node:(net|fs\/promises)$/.test(id) && !importer?.includes("node_modules");
    // Of the thread itself it is not: there it is what the thread talks through.
    const isStarting = id === "node:worker_threads" && importer?.endsWith("/file-worker.ts");
    return isWanted || isOurs || isStarting ? `at-first-use:${id}` : undefined;
  },
  load(id) {
    if (!id.startsWith("at-first-use:")) return undefined;
    const name = id.slice("at-first-use:".length);
    // Itself a function, for packages that require it.
    if (name.endsWith("assert")) {
      return `const assert = () => process.getBuiltinModule("node:assert");
        module.exports = new Proxy(() => {}, { get: (_, key) => assert()[key], apply: (_, __, what) => assert()(...what) });`;
    }
    const exported = Object.entries(process.getBuiltinModule(name) as object)
      .filter(([key]) => /^[a-zA-Z]\w*$/.test(key) && key !== "default")
      .map(
        ([key, value]) =>
          `export const ${key} = ${typeof value === "function" ? called(key, value) : JSON.stringify(value)};`,
      );
    const whole = "export default new Proxy({}, { get: (_, key) => builtin()[key] });";
    return `const builtin = () => process.getBuiltinModule(${JSON.stringify(name)});\n${exported.join("\n")}\n${whole}`;
  },
};

/**
 * pino loads what makes threads, and with it streams, though it is asked for nothing that needs one: a millisecond or
 * more of each start.
 */
const logWithoutThreads: Plugin = {
  name: "log without threads",
  resolveId(id, importer) {
    const isAsked = (id === "worker_threads" || id === "thread-stream") && importer?.includes("/node_modules/pino/");
    return isAsked ? `no-threads:${id}` : undefined;
  },
  load(id) {
    if (!id.startsWith("no-threads:")) return undefined;
    return id.endsWith("worker_threads")
      ? "module.exports = { isMainThread: true };"
      : "module.exports = class { constructor() { throw new Error(`no threads for a log`); } };";
  },
};

/** As `promisify` finds the function: `execFile` gives it two texts, not one. */
function called(key: string, value: object): string {
  const call = /^[A-Z]/.test(key)
    ? `function (...args) { return new.target ? new (builtin().${key})(...args) : builtin().${key}(...args); }`
    : `(...args) => builtin().${key}(...args)`;
  if (!(promisify.custom in value)) return call;
  const custom = `{ [Symbol.for("nodejs.util.promisify.custom")]: (...args) => builtin().${key}[Symbol.for("nodejs.util.promisify.custom")](...args) }`;
  return `Object.assign(${call}, ${custom})`;
}

/** With a single character beyond Latin-1, a script takes twice the memory, and more time to be read and compared. */
const asciiOnly: Plugin = {
  name: "ascii only",
  generateBundle(_, bundle) {
    for (const file of Object.values(bundle)) {
      if (file.type !== "chunk") continue;
      file.code = file.code.replaceAll(
        /[^\x00-\x7f]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
      );
    }
  },
};
