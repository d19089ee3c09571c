import { join } from "node:path";
import type { Artefact } from "../app.ts";
import { type Disk, ignore, isSameFile } from "../disk.ts";
import { lstat, stat } from "../files.ts";
import { clearMark, isMarked, markDamage, readMarks } from "../nas/damage.ts";
import type { AppFolders } from "../nas/nas.ts";
import { type Manifest, namesIn, type RestorePoint } from "../nas/points.ts";
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
 * @returns undefined when the point itself is damaged; it is marked so, as every point that needs the file, and counts for nothing from then on.
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
  const marks = await readMarks(folders);
  const suspects = new Set(marks.flatMap((mark) => ("name" in mark ? [mark.name] : [])));
  const holds = async (path: string, key: string, sha256: string): Promise<boolean> => {
    const fingerprint = await fingerprintOf(path);
    if (fingerprint === undefined) return false;
    // Bytes that a scrub found rotten have the fingerprint that they always had.
    const isKnown = known[key] === fingerprint && !suspects.has(key);
    if (!isKnown && (await sha256Of(path, signal)) !== sha256) return false;
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
      const why = `"${name}" is not what it was when it was made`;
      await markDamage(folders, { name, sha256, at: new Date().toISOString(), why, by: "backup" }, disk);
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
  // All of them are what they have to be by now.
  for (const mark of marks) {
    if ("name" in mark && artefacts.some(({ latest }) => latest === mark.name)) await clearMark(folders, mark, disk);
  }
  return { fingerprints, mended };
}

/**
 * Makes files of the newest point that are cut short, missing or known to be rotten again from latest.*, before that is
 * made from an older point. A point none of whose files is there was removed by a person, and is none.
 * @returns What was made, for people.
 */
export async function mendCutShort(
  folders: AppFolders,
  { artefacts }: { readonly artefacts: readonly Artefact[] },
  points: readonly RestorePoint[],
  disk: Disk,
  signal: AbortSignal,
): Promise<string[]> {
  if (points.findLast(({ manifest }) => manifest)?.good) return [];
  const marks = await readMarks(folders);
  const mended: string[] = [];
  for (const { manifest, files, takenAtMs, good } of points.toReversed()) {
    if (good) break;
    for (const file of manifest?.files ?? []) {
      const { kind, name, sizeBytes, sha256 } = file;
      const there = files.find((candidate) => candidate.name === name);
      const artefact = artefacts.find((candidate) => candidate.kind === kind);
      const isRotten = isMarked(marks, file);
      if (!artefact || (there?.sizeBytes === sizeBytes && !isRotten)) continue;
      const from = join(folders.backups, artefact.latest);
      const found = await lstat(from).catch(ignore("ENOENT"));
      if (!found?.isFile() || found.size !== sizeBytes || (await sha256Of(from, signal)) !== sha256) continue;
      const to = there?.path ?? join(folders.history, name);
      await publishCopy(folders, { from, to, sha256, takenAtMs }, disk, signal);
      if (isRotten) await clearMark(folders, file, disk);
      const what = there?.sizeBytes === sizeBytes ? "rotten" : "cut short or gone";
      mended.push(`${name} was ${what}, and was made again from ${artefact.latest}`);
    }
    // Of older ones latest.* has nothing.
    if (manifest && !manifest.damaged) break;
  }
  return mended;
}

/** Whether a file under history/ or pinned/ has the same content. */
export async function isInHistory(
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
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return info?.isFile() ? fileFingerprint(path, info) : undefined;
}
