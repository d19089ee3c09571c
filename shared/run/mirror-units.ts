import { join } from "node:path";
import { lstat } from "../files.ts";
import type { MirrorFile, MirrorFolder, MirrorUnit, PublishedMirror } from "../mirror-app.ts";
import { clearMark, isMarked, isPointMarked, readMarks } from "../nas/damage.ts";
import { type Manifest, sizeOf } from "../nas/points.ts";
import { sha256Of } from "../nas/publish.ts";
import { fileFingerprint } from "../source/fingerprint.ts";
import type { MirrorRun } from "./app-run.ts";
import { placeFile } from "./mirror-file.ts";
import { folderFingerprint, isListed, placeFolder } from "./mirror-folder.ts";

/** A unit that stands on the NAS as the manifest says. */
export interface Standing {
  readonly entry: Manifest["files"][number];
  /** By which the next run knows that it was left alone. */
  readonly fingerprint: string;
}

/** The units of the last publish that are what they were: by their fingerprints, else by reading them. */
export async function standingUnits(
  run: MirrorRun,
  { root, manifest }: PublishedMirror,
): Promise<Map<string, Standing>> {
  const { state, ctx, folders } = run;
  const known = state.gate?.pointId === manifest?.id ? (state.gate?.published ?? {}) : {};
  const standing = new Map<string, Standing>();
  const marks = await readMarks(folders);
  // A drill found that these bytes, though they are the recorded ones, cannot be restored: all of it is taken anew.
  if (manifest && isPointMarked(marks, manifest)) return standing;
  for (const entry of manifest?.files ?? []) {
    const path = join(root, entry.name);
    const fingerprint = await unitFingerprint(entry.kind, path);
    if (fingerprint === undefined) continue;
    const isSame = async () => {
      ctx.progress("reading what is on the NAS");
      return entry.kind === "folder"
        ? isListed(folders, entry, path, ctx.signal)
        : (await sha256Of(path, ctx.signal)) === entry.sha256;
    };
    // Bytes that a scrub found rotten have the fingerprint that they always had.
    const isRotten = isMarked(marks, entry);
    if (!(known[entry.name] === fingerprint && !isRotten) && !(await isSame())) continue;
    if (isRotten) await clearMark(folders, entry, ctx.disk);
    standing.set(entry.name, { entry, fingerprint });
  }
  return standing;
}

/** Undefined when it is not there, or is something else. */
async function unitFingerprint(kind: string, path: string): Promise<string | undefined> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  });
  if (kind === "folder") return found?.isDirectory() ? folderFingerprint(path) : undefined;
  return found?.isFile() ? fileFingerprint(path, found) : undefined;
}

/** Whether the NAS has the unit already, so that nothing of it is read. */
export function isKept(unit: MirrorUnit, standing: ReadonlyMap<string, Standing>): boolean {
  const entry = standing.get(unit.path)?.entry;
  if (entry?.kind !== unit.kind) return false;
  return unit.kind === "folder" ? entry.checksum === unit.fingerprint : entry.sha256 === unit.sha256;
}

/**
 * Puts units in place in their order. One whose content is not what it has to be is left out, and what needs it too.
 * @throws {Failure} `source_changing`, `nas_write_failed`.
 */
export async function placeUnits(
  run: MirrorRun,
  units: readonly MirrorUnit[],
  root: string,
  standing: ReadonlyMap<string, Standing>,
): Promise<{ placed: Map<string, Standing>; leftOut: string[] }> {
  const marks = await readMarks(run.folders);
  const placed = new Map<string, Standing>();
  const leftOut: string[] = [];
  const totalBytes = sizeOf({ files: units.filter((unit) => !isKept(unit, standing)) });
  let doneBytes = 0;
  // Whoever follows the run wants to know how much of all is done, not of one file of many.
  const ctx = {
    ...run.ctx,
    progress: (phase: string, done = 0) => run.ctx.progress(phase, doneBytes + done, totalBytes),
  };
  for (const unit of units) {
    ctx.signal.throwIfAborted();
    const kept = standing.get(unit.path);
    if (kept && isKept(unit, standing)) {
      placed.set(unit.path, kept);
      continue;
    }
    const missing = unit.kind === "file" ? unit.needs?.find((path) => leftOut.includes(path)) : undefined;
    if (missing !== undefined) ctx.warn(`"${unit.path}" is left out: it needs "${missing}"`);
    const entry = missing === undefined ? await place({ ...run, ctx }, unit, root, kept) : undefined;
    const fingerprint = entry && (await unitFingerprint(unit.kind, join(root, unit.path)));
    if (entry && isMarked(marks, entry)) await clearMark(run.folders, entry, ctx.disk);
    if (entry && fingerprint !== undefined) placed.set(unit.path, { entry, fingerprint });
    else leftOut.push(unit.path);
    doneBytes += unit.sizeBytes;
  }
  return { placed, leftOut };
}

const place = (run: MirrorRun, unit: MirrorFile | MirrorFolder, root: string, kept: Standing | undefined) =>
  unit.kind === "file" ? placeFile(run, unit, root, kept?.entry) : placeFolder(run, unit, root);
