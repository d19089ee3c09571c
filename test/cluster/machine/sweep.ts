import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { ProcessIdentity, stateOf } from "../../../shared/run/process-identity.ts";
import { cacheFolder } from "../install/cache.ts";
import { removeGroups } from "./control-groups.ts";
import { groupOf, type Run } from "./run.ts";

/** One folder for each cluster of this machine, while it lasts. On a disk, which overlayfs needs. */
export const clustersFolder = join(cacheFolder, "clusters");

/** Removes what a cluster leaves whose processes have ended. */
export async function removeCluster({ id, folder }: Pick<Run, "id" | "folder">): Promise<void> {
  await removeGroups(groupOf({ id }));
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

/** Removes what is left of clusters whose keeper was killed. */
export async function sweep(): Promise<void> {
  for (const id of await readdir(clustersFolder).catch(() => [])) {
    const folder = join(clustersFolder, id);
    if (!(await isKept(folder))) await removeCluster({ id, folder });
  }
}

async function isKept(folder: string): Promise<boolean> {
  try {
    const keeper = ProcessIdentity.parse(JSON.parse(await readFile(join(folder, "keeper.json"), "utf8")));
    return (await stateOf(keeper)) !== "gone";
  } catch {
    // It may be about to be written.
    return await stat(folder).then(
      ({ mtimeMs }) => Date.now() - mtimeMs < 60_000,
      () => false,
    );
  }
}
