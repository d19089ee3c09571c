import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { type Plugin, rolldown } from "rolldown";
import { bundledRunner, bundleEntry, bundles, root, sourcesHash } from "./bundle.ts";
import { typeFolders } from "./types.ts";

/** For so long runs may still read a bundle that they began with. */
const keptMs = 7 * 86_400_000;

/**
 * `node functions/build.ts`: bundles the runner, unless that was done with these sources.
 * @returns Its path.
 */
export async function buildRunner(): Promise<string> {
  const there = await bundledRunner();
  if (there !== undefined) return there;
  const folder = join(bundles, await sourcesHash());
  const temporary = `${folder}.${process.pid}.tmp`;
  await removeOld();
  const bundle = await rolldown({
    input: { run: entry },
    platform: "node",
    plugins: [runnerEntry(await typeFolders()), placesOfSources, builtinsAtFirstUse, asciiOnly],
    // The package's own files of 80 modules are functions to call; those for browsers are one scope.
    resolve: { alias: { yaml: join(root, "node_modules/yaml/browser/dist/index.js") } },
  });
  await bundle.write({
    dir: temporary,
    // Node loads it 10 ms faster than a module.
    format: "cjs",
    entryFileNames: bundleEntry,
    chunkFileNames: "[name]-[hash].cjs",
    // Names stay, for the stack traces of what nobody foresaw.
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
  });
  await bundle.close();
  // Somebody else may have made the same one meanwhile.
  await rename(temporary, folder).catch(() => rm(temporary, { recursive: true, force: true }));
  return join(folder, bundleEntry);
}

const entry = "keepsake:runner";

/** What `functions/run.ts` does when it is started, and `functions/types.ts` without looking into folders. */
const runnerEntry = (types: readonly string[]): Plugin => ({
  name: "runner",
  resolveId: (id) => (id === entry ? id : undefined),
  load(id) {
    if (id === entry) return `import { main } from ${JSON.stringify(join(root, "functions/run.ts"))}; main();`;
    if (id !== join(root, "functions/types.ts")) return undefined;
    const imports = types.map((type, index) => `import { app as app${index} } from "./${type}/app.ts";`);
    return `${imports.join("\n")} export const loadAppTypes = async () => [${types.map((_, index) => `app${index}`)}];`;
  },
});

/** A source that starts another one as a process finds it where it is. */
const placesOfSources: Plugin = {
  name: "places of sources",
  transform(code, id) {
    if (!code.includes("import.meta.") || !id.startsWith(root) || id.includes("node_modules")) return undefined;
    return code
      .replaceAll("import.meta.dirname", JSON.stringify(dirname(id)))
      .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(id).href))
      .replaceAll("import.meta.main", "false");
  },
};

/** Node's own modules that many runs do not need: each is loaded when one of its functions is called. */
const builtinsAtFirstUse: Plugin = {
  name: "builtins at first use",
  resolveId(id, importer) {
    const isWanted = /^(node:crypto|node:child_process|(node:)?zlib)$/.test(id);
    // Packages make objects of its classes, which these functions are not.
    const isOurs = id === "node:net" && !importer?.includes("node_modules");
    return isWanted || isOurs ? `at-first-use:${id}` : undefined;
  },
  load(id) {
    if (!id.startsWith("at-first-use:")) return undefined;
    const name = id.slice("at-first-use:".length);
    const exported = Object.entries(process.getBuiltinModule(name) as object)
      .filter(([key]) => /^[a-zA-Z]\w*$/.test(key) && key !== "default")
      .map(
        ([key, value]) =>
          `export const ${key} = ${typeof value === "function" ? called(key, value) : JSON.stringify(value)};`,
      );
    return `const builtin = () => process.getBuiltinModule(${JSON.stringify(name)});\n${exported.join("\n")}`;
  },
};

/** As `promisify` finds the function: `execFile` gives it two texts, not one. */
function called(key: string, value: object): string {
  const call = `(...args) => builtin().${key}(...args)`;
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

/** The newest stays however old it is: until now runs began with it, and they load parts of it when they need them. */
async function removeOld(): Promise<void> {
  await mkdir(bundles, { recursive: true });
  const found = await Promise.all(
    (await readdir(bundles)).map(async (name) => ({ name, madeMs: (await stat(join(bundles, name))).mtimeMs })),
  );
  const newest = found.filter(({ name }) => !name.endsWith(".tmp")).sort((a, b) => b.madeMs - a.madeMs)[0];
  for (const { name, madeMs } of found) {
    if (name === newest?.name || Date.now() - madeMs <= keptMs) continue;
    await rm(join(bundles, name), { recursive: true, force: true });
  }
}

if (import.meta.main) await buildRunner();
