import { dirname, join } from "node:path";
import type { RunContext } from "../../shared/app.ts";
import type { PublishedMirror } from "../../shared/mirror-app.ts";
import type { Settings } from "./app.ts";
import { readNas } from "./examine.ts";
import { isBlobName } from "./manifest.ts";
import { readMemory } from "./memory.ts";
import { readStore } from "./store.ts";

/**
 * Removes from the NAS what the last backup has let go, each by its exact name and after one more look: a manifest only
 * if it is the one that was meant and Ollama has no such model again, a blob only if no manifest, here or there, names it.
 * @returns Paths below the mirror's folder.
 */
export async function removeExpired(
  { disk, settings }: Pick<RunContext<Settings>, "disk" | "settings">,
  { root, manifest }: PublishedMirror,
): Promise<string[]> {
  const { expired } = readMemory(manifest?.facts);
  if (!manifest || Object.keys(expired.manifests).length + expired.blobs.length === 0) return [];
  const source = await readStore(settings.models);
  const isPart = new Set(manifest.files.map(({ name }) => name));
  const present = new Set([...source.models.map(({ path }) => path), ...source.bad.flatMap(({ path }) => path ?? [])]);
  const removed: string[] = [];
  const remove = async (path: string) => {
    await disk.remove(join(root, path));
    removed.push(path);
  };

  // Manifests first: after a crash in between, a model that is named is one that is whole.
  for (const { path, at, sha256 } of (await readNas(root)).models) {
    if (expired.manifests[path] !== sha256 || at !== path || isPart.has(path) || present.has(path)) continue;
    await remove(path);
    for (let folder = dirname(path), depth = 3; depth > 0; folder = dirname(folder), depth--) {
      await disk.removeEmptyDir(join(root, folder));
    }
  }
  const nas = await readNas(root);
  if (nas.bad.some(({ path }) => path !== undefined)) return removed;
  const needed = new Set([...nas.models, ...source.models].flatMap(({ blobs }) => blobs.map(({ name }) => name)));
  for (const blob of expired.blobs) {
    if (isBlobName(blob) && nas.blobs.has(blob) && !needed.has(blob) && !isPart.has(`blobs/${blob}`)) {
      await remove(`blobs/${blob}`);
    }
  }
  return removed;
}
