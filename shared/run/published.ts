import { lstat, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Artefact } from "../app.ts";
import { type Disk, ignore, isSameFile } from "../disk.ts";
import type { AppFolders } from "../nas/nas.ts";
import { type Manifest, manifestPath, namesIn, type RestorePoint, readManifests } from "../nas/points.ts";
import { publishCopy, publishLatest, sha256Of } from "../nas/publish.ts";
import { fileFingerprint } from "../source/fingerprint.ts";
import type { AppState } from "./state.ts";

export interface Published {
  /** Fingerprints to remember, by path below backups/. */
  readonly fingerprints: Record<string, string>;
  /** latest.* had to be made again. */
  readonly mended: string[];
}

/**
 * Makes sure that the newest good point and latest.* are what the manifest says. What a fingerprint of the run before
 * proves untouched is not read again; latest.* is made again when it is missing or other than it was, and the point's
 * file from latest.* when only that is what it was.
 * @returns undefined when the point itself is damaged; it is marked so, and counts for nothing from then on.
 */
export async function ensurePublished(
  folders: AppFolders,
  { artefacts }: { readonly artefacts: readonly Artefact[] },
  point: RestorePoint & { manifest: Manifest },
  gate: AppState["gate"],
  disk: Disk,
  signal: AbortSignal,
): Promise<Published | undefined> {
  const fingerprints: Record<string, string> = {};
  const mended: string[] = [];
  const known = gate?.pointId === point.id ? gate.published : {};
  const holds = async (path: string, key: string, sha256: string): Promise<boolean> => {
    const fingerprint = await fingerprintOf(path);
    if (fingerprint === undefined) return false;
    if (known[key] !== fingerprint && (await sha256Of(path, signal)) !== sha256) return false;
    fingerprints[key] = fingerprint;
    return true;
  };
  for (const { kind, name, sha256 } of point.manifest.files) {
    const file = point.files.find((candidate) => candidate.name === name);
    const artefact = artefacts.find((candidate) => candidate.kind === kind);
    const isHeld = async () =>
      file !== undefined && holds(file.path, `${file.pinned ? "pinned" : "history"}/${name}`, sha256);
    /** The other copy may be the last good one. */
    const isMade = async () => {
      const latest = artefact && join(folders.backups, artefact.latest);
      if (!file || !latest || !(await isOther(latest, file.path))) return false;
      if ((await sha256Of(latest, signal)) !== sha256) return false;
      await publishCopy(folders, { from: latest, to: file.path, sha256, takenAtMs: point.takenAtMs }, disk, signal);
      mended.push(`${name} was not what it was when it was made, and was made again from ${artefact.latest}`);
      return isHeld();
    };
    if (!file || !((await isHeld()) || (await isMade()))) {
      await markDamaged(folders, point, { name, sha256 }, disk);
      return undefined;
    }
    if (!artefact) continue;
    const latest = join(folders.backups, artefact.latest);
    // A link has the right content, but whoever writes into it writes into the history.
    if ((await holds(latest, artefact.latest, sha256)) && (await isOther(latest, file.path))) continue;
    await publishLatest(folders, artefact, { path: file.path, sha256, takenAtMs: point.takenAtMs }, disk, signal);
    const fingerprint = await fingerprintOf(latest);
    if (fingerprint !== undefined) fingerprints[artefact.latest] = fingerprint;
    mended.push(`${artefact.latest} was made again from ${name}`);
  }
  for (const artefact of artefacts) {
    const { kind, latest } = artefact;
    if (point.manifest.files.some((file) => file.kind === kind)) continue;
    const path = join(folders.backups, latest);
    if ((await fingerprintOf(path)) === undefined) continue;
    // It belongs to another state than the latest of the others.
    if (!(await isInHistory(folders, artefact, path, signal))) {
      mended.push(
        `${latest} stays although ${point.id} has none, for nothing in history/ is the same: it is the last copy`,
      );
      continue;
    }
    await disk.remove(path);
    mended.push(`${latest} was removed: ${point.id} has none`);
  }
  return { fingerprints, mended };
}

/**
 * Makes files of the newest point that are cut short or missing again from latest.*, before that is made from an older
 * point. A point none of whose files is there was removed by a person, and is none.
 * @returns What was made, for people.
 */
export async function mendCutShort(
  folders: AppFolders,
  { artefacts }: { readonly artefacts: readonly Artefact[] },
  points: readonly RestorePoint[],
  disk: Disk,
  signal: AbortSignal,
): Promise<string[]> {
  const newest = points.findLast(({ manifest }) => manifest && !manifest.damaged);
  if (!newest?.manifest || newest.good) return [];
  const mended: string[] = [];
  for (const { kind, name, sizeBytes, sha256 } of newest.manifest.files) {
    const there = newest.files.find((file) => file.name === name);
    const artefact = artefacts.find((candidate) => candidate.kind === kind);
    if (!artefact || there?.sizeBytes === sizeBytes) continue;
    const from = join(folders.backups, artefact.latest);
    const found = await lstat(from).catch(ignore("ENOENT"));
    if (!found?.isFile() || found.size !== sizeBytes || (await sha256Of(from, signal)) !== sha256) continue;
    const to = there?.path ?? join(folders.history, name);
    await publishCopy(folders, { from, to, sha256, takenAtMs: newest.takenAtMs }, disk, signal);
    mended.push(`${name} was cut short or gone, and was made again from ${artefact.latest}`);
  }
  return mended;
}

/** Marks every point that needs the file; this one last, so that a run that is killed in between is followed by one that goes on. */
async function markDamaged(
  folders: AppFolders,
  { manifest }: { manifest: Manifest },
  { name, sha256 }: { name: string; sha256: string },
  disk: Disk,
): Promise<void> {
  const damaged = { at: new Date().toISOString(), why: `"${name}" is not what it was when it was made` };
  const others = (await readManifests(folders)).filter(
    ({ id, damaged: known, files }) =>
      id !== manifest.id && !known && files.some((file) => file.name === name && file.sha256 === sha256),
  );
  for (const one of [...others, manifest]) {
    await disk.replace(manifestPath(folders, one.id), `${JSON.stringify({ ...one, damaged }, null, 2)}\n`);
  }
}

/** Whether a file under history/ or pinned/ has the same content. */
async function isInHistory(
  { history, pinned }: AppFolders,
  { naming }: Artefact,
  path: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { size } = await stat(path);
  const sha256 = await sha256Of(path, signal);
  for (const folder of [history, pinned]) {
    for (const name of (await namesIn(folder)).filter((candidate) => naming.parse(candidate))) {
      const copy = join(folder, name);
      if ((await stat(copy)).size === size && (await sha256Of(copy, signal)) === sha256) return true;
    }
  }
  return false;
}

/** Whether a file is there that is neither a link nor this one. */
async function isOther(path: string, file: string): Promise<boolean> {
  const found = await lstat(path).catch(ignore("ENOENT"));
  return found?.isFile() === true && !(await isSameFile(path, file));
}

async function fingerprintOf(path: string): Promise<string | undefined> {
  const info = await stat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return info?.isFile() ? fileFingerprint(path, info) : undefined;
}
