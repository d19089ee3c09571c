import { lstat } from "node:fs/promises";
import { join, relative } from "node:path";
import { ignore } from "../disk.ts";
import { readMarks } from "../nas/damage.ts";
import { mirrorManifest, mirrorRoot } from "../nas/mirror-points.ts";
import { listPoints, type RestorePoint, readManifests, withMarks } from "../nas/points.ts";
import { type AppRun, isMirrorRun, type MirrorRun, type PointsRun } from "./app-run.ts";
import { historyPath, mirrorPath } from "./scrub-state.ts";

/** Something on the NAS that is read back in one go. */
export interface ScrubFile {
  /** How it is called in the memory of scrubs. */
  readonly path: string;
  /** Absolute. */
  readonly where: string;
  /** Below the export, for people. */
  readonly shown: string;
  /** A folder is the files of its list. */
  readonly kind: "file" | "folder";
  readonly sizeBytes: number;
  /** What it may be; none when no manifest knows it: then it has to stay what it was when it was first read. */
  readonly wanted: readonly string[];
  /** By what it is marked when it is something else. */
  readonly name?: string;
  /** Others replace it while a backup runs, so that only a NAS at rest can be judged by it. */
  readonly moves: boolean;
  /** Size and mtime, when no manifest knows it: another one was put there by hand. */
  readonly look?: string;
  readonly isMissing: boolean;
}

/** Everything of an app on the NAS that has to be what it was: archives, dumps, latest.*, blobs, a map's tiles. */
export const scrubFiles = (run: AppRun): Promise<ScrubFile[]> =>
  isMirrorRun(run) ? mirrorFiles(run) : pointFiles(run as PointsRun);

async function pointFiles(run: PointsRun): Promise<ScrubFile[]> {
  const { folders, type } = run;
  const points = await listPoints(folders, type.artefacts);
  const manifests = withMarks(await readManifests(folders), await readMarks(folders));
  const there = new Map(points.flatMap(({ files }) => files.map((file) => [file.name, file] as const)));
  const found = new Map<string, ScrubFile>();
  const add = (file: ScrubFile) => found.set(file.path, file);
  for (const { name, sizeBytes, sha256 } of manifests.flatMap(({ files }) => files)) {
    const file = there.get(name);
    add({
      ...placed(run, historyPath(name, file?.pinned ?? false), file?.path ?? join(folders.history, name)),
      ...{ kind: "file", sizeBytes, wanted: [sha256], name, moves: false, isMissing: file === undefined },
    });
  }
  for (const { name, path, pinned, sizeBytes } of there.values()) {
    if (!found.has(historyPath(name, pinned))) {
      add({ ...(await unknown(run, historyPath(name, pinned), path)), sizeBytes, moves: false, isMissing: false });
    }
  }
  for (const file of await latestFiles(run, points)) add(file);
  return [...found.values()];
}

/** latest.* is what the newest point has; when that is damaged, it may be its last good copy or already an older one's. */
async function latestFiles(run: PointsRun, points: readonly RestorePoint[]): Promise<ScrubFile[]> {
  const { folders, type } = run;
  const newest = points.findLast(({ manifest }) => manifest)?.manifest;
  const good = points.findLast((point) => point.good)?.manifest;
  const files: ScrubFile[] = [];
  for (const { kind, latest } of type.artefacts) {
    const path = join(folders.backups, latest);
    const info = await lstat(path).catch(ignore("ENOENT", "ENOTDIR"));
    const wanted = [good, newest].flatMap((manifest) => manifest?.files.find((file) => file.kind === kind) ?? []);
    const [first] = wanted;
    if (!info && !first) continue;
    const isMissing = !info?.isFile();
    const sizeBytes = info?.size ?? first?.sizeBytes ?? 0;
    if (first) {
      const sums = wanted.map(({ sha256 }) => sha256);
      const known = { kind: "file", sizeBytes, wanted: sums, name: latest, moves: true, isMissing } as const;
      files.push({ ...placed(run, latest, path), ...known });
    } else files.push({ ...(await unknown(run, latest, path)), sizeBytes, moves: true, isMissing });
  }
  return files;
}

async function mirrorFiles(run: MirrorRun): Promise<ScrubFile[]> {
  const root = mirrorRoot(run.folders, run.type.mirror);
  const files: ScrubFile[] = [];
  for (const { kind, name, sizeBytes, sha256 } of (await mirrorManifest(run.folders))?.files ?? []) {
    const info = await lstat(join(root, name)).catch(ignore("ENOENT", "ENOTDIR"));
    files.push({
      ...placed(run, mirrorPath(name), join(root, name)),
      ...{ kind: kind === "folder" ? "folder" : "file", sizeBytes, wanted: [sha256], name, moves: true },
      isMissing: info === undefined,
    });
  }
  return files;
}

const placed = ({ folders }: AppRun, path: string, where: string) => ({
  path,
  where,
  shown: join(folders.app, relative(folders.folder, where)),
});

async function unknown(run: AppRun, path: string, where: string) {
  const info = await lstat(where).catch(ignore("ENOENT"));
  const look = `${info?.size} ${info?.mtimeMs}`;
  return { ...placed(run, path, where), kind: "file", wanted: [], look } as const;
}
