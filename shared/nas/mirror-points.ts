import { basename, join } from "node:path";
import { ignore } from "../disk.ts";
import { Failure } from "../failures.ts";
import { lstat } from "../files.ts";
import type { MirrorType } from "../mirror-app.ts";
import { readMarks } from "./damage.ts";
import { pointIdOf } from "./naming.ts";
import type { AppFolders } from "./nas.ts";
import { type Manifest, type RestorePoint, readManifests, sizeOf, withMarks } from "./points.ts";

type Layout = MirrorType<unknown>["mirror"];

/** The folder on the NAS that follows the data. */
export const mirrorRoot = (folders: AppFolders, { folder }: Layout) => join(folders.folder, folder);

/** The manifest of the last publish. A run that was killed between two may have left the one before it, too. */
export async function mirrorManifest(folders: AppFolders): Promise<Manifest | undefined> {
  const manifests = await readManifests(folders);
  return manifests.sort((a, b) => a.sequence - b.sequence).at(-1);
}

/**
 * The state that a mirror can be restored to: none, or one. Without a manifest it is the incumbent's, of the moment
 * when its anchor was written.
 * @throws {Failure} `nas_unreachable`.
 */
export async function mirrorPoints(folders: AppFolders, layout: Layout): Promise<RestorePoint[]> {
  const root = mirrorRoot(folders, layout);
  const anchor = await look(join(root, layout.anchor));
  if (!anchor) return [];
  const bare = await mirrorManifest(folders);
  const [manifest] = bare ? withMarks([bare], await readMarks(folders)) : [];
  const name = layout.folder === "." ? folders.app : basename(layout.folder);
  const point = (id: string, takenAtMs: number, sizeBytes: number) => ({
    id,
    takenAtMs,
    files: [{ kind: "mirror", name, path: root, sizeBytes, pinned: false }],
    pinned: false,
  });
  if (!manifest) {
    const takenAtMs = Math.floor(anchor.mtimeMs / 1000) * 1000;
    return [{ ...point(pointIdOf(takenAtMs), takenAtMs, 0), good: false }];
  }
  const good = !manifest.damaged && (await isWhole(root, manifest.files));
  const found = point(manifest.id, Date.parse(manifest.takenAt), sizeOf(manifest));
  return [{ ...found, manifest, good }];
}

/** Whether each file is there with its size, and each folder is there. What is in them is for a restore to prove. */
async function isWhole(root: string, files: Manifest["files"]): Promise<boolean> {
  for (const { kind, name, sizeBytes } of files) {
    const found = await look(join(root, name));
    if (!found) return false;
    if (kind === "folder" ? !found.isDirectory() : !found.isFile() || found.size !== sizeBytes) return false;
  }
  return true;
}

const look = (path: string) =>
  lstat(path)
    .catch(ignore("ENOENT", "ENOTDIR"))
    .catch((cause) => {
      throw new Failure("nas_unreachable", `Cannot look at "${path}": ${cause.message}`, { cause });
    });
