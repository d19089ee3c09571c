import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { bundledRunner, bundleEntry, bundles, sourcesHash } from "./bundle.ts";
import { bundleProgram } from "./bundler.ts";

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
  await bundleProgram("run", temporary);
  // Somebody else may have made the same one meanwhile.
  await rename(temporary, folder).catch(() => rm(temporary, { recursive: true, force: true }));
  return join(folder, bundleEntry);
}

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
