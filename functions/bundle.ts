import { createHash } from "node:crypto";
import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/*
 * The runner in few files, made by `functions/build.ts`: a run begins in half the time (docs/adr/0006). Its folder is
 * named after the content of the sources, so that one made of other sources is never found; without one the sources
 * run as they are.
 */

export const root = join(import.meta.dirname, "..");
/** Where bundles are, each in a folder of its own. */
export const bundles = join(root, "build/runner");
export const bundleEntry = "run.cjs";

/** The runner made of the sources as they are now, for Node; undefined when nobody has made one. */
export async function bundledRunner(): Promise<string | undefined> {
  const made = await readdir(bundles).catch(() => []);
  if (made.length === 0) return undefined;
  const path = join(bundles, await sourcesHash(), bundleEntry);
  return access(path).then(
    () => path,
    () => undefined,
  );
}

/** Of all that a runner is made of: the sources by their paths and contents, and the versions of the packages. */
export async function sourcesHash(): Promise<string> {
  const hash = createHash("sha256");
  for (const folder of ["functions", "shared", "events"]) {
    const names = (await readdir(join(root, folder), { recursive: true }))
      .filter((name) => name.endsWith(".ts"))
      .sort();
    const sources = names.filter((name) => !name.endsWith(".test.ts"));
    const contents = await Promise.all(sources.map((name) => readFile(join(root, folder, name))));
    for (const [index, content] of contents.entries()) {
      hash.update(`${folder}/${sources[index]} ${content.length}\n`).update(content);
    }
  }
  return hash
    .update(await readFile(join(root, "package-lock.json")))
    .digest("hex")
    .slice(0, 32);
}
