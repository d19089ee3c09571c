import { basename, join } from "node:path";
import type { Artefact } from "../app.ts";
import { type Disk, ignore } from "../disk.ts";
import { Failure } from "../failures.ts";
import { lstat, readFile } from "../files.ts";
import { type AppFolders, hiddenFolder } from "./nas.ts";
import { type Manifest, manifestPath, namesIn, type RestorePoint, readManifests } from "./points.ts";
import { openReadBack } from "./read-back.ts";

/** A verified file in the staging folder, on its way to history/. */
export interface StagedFile {
  readonly path: string;
  /** Its name under history/. */
  readonly name: string;
}

/**
 * Makes staged files a restore point: manifest, then the files under their final names, then latest.*.
 * After a crash in between, `ensurePublished` and `removeOrphanManifests` of the next run finish it or undo it; the
 * files themselves appear whole or not at all.
 */
export async function publishPoint(
  folders: AppFolders,
  manifest: Manifest,
  staged: readonly StagedFile[],
  disk: Disk,
): Promise<void> {
  await disk.makeDir(folders.history);
  await disk.makeDir(folders.points);
  await disk.replace(manifestPath(folders, manifest.id), `${JSON.stringify(manifest, null, 2)}\n`);
  for (const { path, name } of staged) {
    if (await disk.renameExclusive(path, join(folders.history, name))) continue;
    await disk.remove(manifestPath(folders, manifest.id));
    throw new Failure("nas_write_failed", `Cannot publish "${name}": a new name is wanted, it is taken`);
  }
}

/** Puts a file of a restore point in the place of latest.*. As `publishCopy`. */
export const publishLatest = (
  folders: AppFolders,
  { latest }: Artefact,
  { path, ...known }: { path: string; sha256: string; takenAtMs: number },
  disk: Disk,
  signal?: AbortSignal,
): Promise<void> => publishCopy(folders, { from: path, to: join(folders.backups, latest), ...known }, disk, signal);

/**
 * Makes latest.* from a file of a restore point, or such a file from latest.*: a second file with the same content,
 * read back and compared before it gets the name. Never a hard link: whoever writes into latest.* would write into the
 * history.
 * @throws {Failure} `backup_damaged` when the copy, and so probably the original, is not what the manifest says.
 */
export async function publishCopy(
  folders: AppFolders,
  { from, to, sha256, takenAtMs }: { from: string; to: string; sha256: string; takenAtMs: number },
  disk: Disk,
  signal?: AbortSignal,
): Promise<void> {
  const staged = join(folders.staging, `copy-${basename(to)}`);
  await disk.makeDir(folders.staging);
  await disk.remove(staged);
  await disk.copy(from, staged);
  const actual = await sha256Of(staged, signal);
  if (actual !== sha256) {
    await disk.remove(staged);
    throw new Failure("backup_damaged", `Cannot make "${to}" from "${from}": sha256 ${sha256} is wanted, is ${actual}`);
  }
  await disk.setTimes(staged, takenAtMs);
  await disk.rename(staged, to);
}

export async function sha256Of(path: string, signal?: AbortSignal): Promise<string> {
  const file = await openReadBack(path, signal ? { signal } : {});
  try {
    return await file.sha256();
  } finally {
    await file.close();
  }
}

/**
 * Removes the manifest of a publish that never came to all its files. Others without files stay: somebody may have
 * moved history/ away for a while, and a file that comes back shall be known.
 * @param runId The run that was killed.
 */
export async function removeOrphanManifests(
  folders: AppFolders,
  points: readonly RestorePoint[],
  runId: string,
  disk: Disk,
): Promise<void> {
  const there = new Set(points.flatMap(({ files }) => files.map(({ name }) => name)));
  for (const manifest of await readManifests(folders)) {
    const isWhole = manifest.files.every(({ name }) => there.has(name));
    if (manifest.runId === runId && !isWhole) await disk.remove(manifestPath(folders, manifest.id));
  }
}

/**
 * Removes expired points: their manifests, then their files by their exact names, sparing those that a kept point needs.
 * @returns Names that were removed from history/.
 */
export async function removePoints(
  folders: AppFolders,
  expired: readonly RestorePoint[],
  points: readonly RestorePoint[],
  disk: Disk,
): Promise<string[]> {
  const gone = new Set(expired);
  const needed = new Set(
    points.filter((point) => !gone.has(point)).flatMap((point) => point.manifest?.files.map(({ name }) => name) ?? []),
  );
  const removed: string[] = [];
  for (const point of expired) {
    // First the manifest: after a crash in between, a file without one expires by itself; a manifest would stay.
    if (point.manifest) await disk.remove(manifestPath(folders, point.id));
    for (const { name, pinned } of point.files) {
      if (pinned || needed.has(name)) continue;
      await disk.remove(join(folders.history, name));
      removed.push(name);
    }
  }
  return removed;
}

/**
 * Writes `.keepsake/<app>/SHA256SUMS`, for `sha256sum -c` without this system: run in the root of the export.
 * Does nothing when it would not change.
 */
export async function writeSums(
  folders: AppFolders,
  points: readonly RestorePoint[],
  artefacts: readonly Artefact[],
  disk: Disk,
): Promise<void> {
  const known = points.flatMap((point) =>
    point.good
      ? (point.manifest?.files ?? []).map((file) => ({
          ...file,
          pinned: point.files.some((there) => there.name === file.name && there.pinned),
        }))
      : [],
  );
  const lines = new Map(
    known.map(({ name, sha256, pinned }) => [
      `${folders.app}/backups/${pinned ? "pinned" : "history"}/${name}`,
      sha256,
    ]),
  );
  const newest = points.findLast((point) => point.good)?.manifest;
  for (const { kind, latest } of artefacts) {
    const file = newest?.files.find((candidate) => candidate.kind === kind);
    if (file) lines.set(`${folders.app}/backups/${latest}`, file.sha256);
  }
  const text = [...lines]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, sha256]) => `${sha256}  ${path}\n`)
    .join("");
  if ((await readFile(folders.sums, "utf8").catch(() => "")) === text) return;
  await disk.makeDir(folders.hidden);
  await disk.replace(folders.sums, text);
}

/** Removes what killed runs left in the staging folder. */
export async function clearStaging(folders: AppFolders, disk: Disk): Promise<number> {
  // A link in its place leads to somebody else's files.
  if ((await lstat(folders.staging).catch(ignore("ENOENT")))?.isSymbolicLink()) {
    await disk.remove(folders.staging);
    return 0;
  }
  const names = await namesIn(folders.staging);
  for (const name of names) await disk.removeTree(join(folders.staging, name));
  return names.length;
}

/** `.keepsake/<app>/SHA256SUMS`, as a person types it in the root of the export. */
export const sumsPath = (app: string) => `${hiddenFolder}/${app}/SHA256SUMS`;
