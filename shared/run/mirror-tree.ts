import { join } from "node:path";
import { ignore } from "../disk.ts";
import { Failure } from "../failures.ts";
import { lstat } from "../files.ts";
import type { MirrorTree } from "../mirror-app.ts";
import { mirrorRoot } from "../nas/mirror-points.ts";
import { type Manifest, type RestorePoint, sizeOf } from "../nas/points.ts";
import { contentChecksum } from "../source/checksum.ts";
import type { MirrorRun, Result } from "./app-run.ts";
import { readList } from "./folder-list.ts";

/** The mirror as a restore reads it. */
export function mirrorTree({ folders, type }: MirrorRun, { manifest }: RestorePoint): MirrorTree {
  const files = manifest?.files ?? [];
  return {
    root: mirrorRoot(folders, type.mirror),
    files,
    async *filesOf(unit) {
      const entry = files.find(({ kind, name }) => kind === "folder" && name === unit);
      if (!entry) throw new Error(`no folder "${unit}" in the manifest`);
      yield* readList(folders, entry.sha256);
    },
  };
}

/** What an outcome tells of a mirror: thousands of files are one. */
export function describeMirror(
  { folders, type }: MirrorRun,
  { id, takenAt, files }: Manifest,
): NonNullable<Result["point"]> {
  // Like `sha256sum`, from the root of the export.
  const name = type.mirror.folder === "." ? `${folders.app}/` : `${folders.app}/${type.mirror.folder}/`;
  const sha256 = contentChecksum(files.map((file) => ({ ...file, path: file.name })));
  return { id, takenAt, files: [{ name, sizeBytes: sizeOf({ files }), sha256 }] };
}

/**
 * Whether all of it is there, before the app is touched. What is in the files is compared when they are copied beside
 * the present data, which is before the app is touched, too: reading everything twice would double the time.
 * @param only The one part that is wanted: then the app itself looks whether that is there, whatever else is not.
 * @throws {Failure} `backup_damaged`.
 */
export async function verifyMirror(run: MirrorRun, point: RestorePoint, only?: string): Promise<void> {
  const { ctx, folders, type } = run;
  const root = mirrorRoot(folders, type.mirror);
  const damaged = (name: string, wanted: string, actual: string) =>
    new Failure("backup_damaged", `Cannot restore ${point.id}: "${name}" ${wanted} is wanted, ${actual}`, {
      hint: `The app was not touched. A backup of the present data mends the NAS: make backup-${ctx.app.name}`,
    });
  if (!point.manifest) {
    ctx.warn("This was made by another system: its content is looked at, but no checksum of it is known");
    return;
  }
  if (only !== undefined) return;
  for (const { kind, name, sizeBytes, sha256 } of point.manifest.files) {
    const found = await lstat(join(root, name)).catch(ignore("ENOENT", "ENOTDIR"));
    if (kind === "file") {
      if (!found?.isFile()) throw damaged(name, "as a file", "is not there");
      if (found.size !== sizeBytes) throw damaged(name, `of ${sizeBytes} bytes`, `has ${found.size}`);
      continue;
    }
    if (!found?.isDirectory()) throw damaged(name, "as a folder", "is not there");
    for await (const file of readList(folders, sha256)) {
      const there = await lstat(join(root, name, file.path)).catch(ignore("ENOENT", "ENOTDIR"));
      if (!there?.isFile()) throw damaged(`${name}/${file.path}`, "as a file", "is not there");
    }
  }
}
