import { createHash } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Plugin, rolldown } from "rolldown";
import type { TestProject } from "vitest/node";
import { listOfTypes } from "../functions/bundler.ts";
import { bundleEntry, bundleName, bundlesVariable, programs } from "./programs.ts";

const root = join(import.meta.dirname, "..");
/** Each in a folder of its content's name: what Node has kept of it stands as long as it does. */
const bundles = join(root, "node_modules/.cache/keepsake-programs");
const keptMs = 86_400_000;

/** Vitest's global set-up: each of `programs` in few files. */
export async function setup({ config }: TestProject): Promise<void> {
  const types = await listOfTypes();
  const files = (await Promise.all(programs.map((program) => bundle(program, types)))).flat();
  const hash = createHash("sha256").update(JSON.stringify(files)).digest("hex").slice(0, 32);
  const folder = join(bundles, hash);
  const temporary = `${folder}.${process.pid}.tmp`;
  await removeOld();
  for (const { path, code } of files) {
    await mkdir(dirname(join(temporary, path)), { recursive: true });
    await writeFile(join(temporary, path), code);
  }
  // The same one may be there, or made by somebody else meanwhile.
  await rename(temporary, folder).catch(() => rm(temporary, { recursive: true }));
  config.env[bundlesVariable] = folder;
}

async function bundle(program: string, types: Plugin): Promise<{ path: string; code: string }[]> {
  const source = join(root, program);
  const made = await rolldown({
    input: source,
    platform: "node",
    plugins: [types, placesOfSources(source)],
    external: "@kubernetes/client-node",
  });
  const { output } = await made.generate({
    format: "esm",
    entryFileNames: bundleEntry,
    chunkFileNames: "[name]-[hash].mjs",
  });
  await made.close();
  return output
    .filter((file) => file.type === "chunk")
    .map(({ fileName, code }) => ({ path: join(bundleName(program), fileName), code }));
}

/** The sources are there: whoever reads a file beside one, or starts another one, finds it. */
const placesOfSources = (entry: string): Plugin => ({
  name: "places of sources",
  transform(code, id) {
    if (!code.includes("import.meta.") || !id.startsWith(root) || id.includes("node_modules")) return undefined;
    return code
      .replaceAll("import.meta.dirname", JSON.stringify(dirname(id)))
      .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(id).href))
      .replaceAll("import.meta.main", String(id === entry));
  },
});

async function removeOld(): Promise<void> {
  await mkdir(bundles, { recursive: true });
  for (const name of await readdir(bundles)) {
    const { mtimeMs } = await stat(join(bundles, name));
    if (Date.now() - mtimeMs > keptMs) await rm(join(bundles, name), { recursive: true, force: true });
  }
}
