import { join } from "node:path";
import { Failure, toFailure } from "../failures.ts";
import { parsePointId } from "../nas/naming.ts";
import { listPoints, type Manifest, manifestPath, namesIn, type RestorePoint } from "../nas/points.ts";
import { writeSums } from "../nas/publish.ts";
import { type AppRun, isMirrorRun, type MirrorRun, type PointsRun, type Result } from "./app-run.ts";
import { publishedMirror } from "./mirror.ts";
import { isInHistory } from "./published.ts";
import type { Adoption } from "./report.ts";
import { openPoint } from "./restore.ts";

/** What makes a file that is there no backup; anything else that fails says nothing of the file. */
const disproven = new Set(["backup_damaged", "backup_hostile", "source_invalid"]);

/**
 * Takes over what another system has put on the NAS: reads all of it, proves its content as that of a new backup is
 * proven, and writes down its checksums, so that from then on it counts, is scrubbed, drilled and kept like any other.
 * What cannot be vouched for is named and left as it is. Changes nothing outside of the hidden folder.
 */
export async function runAdopt(run: AppRun): Promise<Result> {
  const found = isMirrorRun(run) ? await surveyMirror(run) : await adoptPoints(run as PointsRun);
  for (const { file, why } of found.unproven) run.ctx.warn(`${file} cannot be vouched for, and is left alone: ${why}`);
  return {
    outcome: "adopted",
    message: `${run.ctx.app.title}: ${inWords(found)}`,
    adoption: found,
    state: run.state,
  };
}

function inWords({ proven, unproven }: Adoption): string {
  if (proven.length + unproven.length === 0) return "nothing to take over";
  return `${proven.length} of ${proven.length + unproven.length} vouched for${proven.length > 0 ? `: ${proven.join(", ")}` : ""}`;
}

async function adoptPoints(run: PointsRun): Promise<Adoption> {
  const { ctx, folders, type } = run;
  const points = await listPoints(folders, type.artefacts);
  const known = new Set(points.flatMap(({ id, manifest }) => (manifest ? [id] : [])));
  const found: Adoption = { proven: [], unproven: [] };
  await ctx.disk.makeDir(folders.points);
  for (const point of points.filter(({ manifest }) => !manifest)) {
    ctx.signal.throwIfAborted();
    const names = point.files.map(({ name }) => name);
    try {
      if (known.has(point.id)) throw new Failure("backup_damaged", "another restore point is of the same second");
      const manifest = await vouchFor(run, point);
      await ctx.disk.replace(manifestPath(folders, point.id), `${JSON.stringify(manifest, null, 2)}\n`);
      known.add(point.id);
      found.proven.push(...manifest.files.map(({ name }) => name));
    } catch (error) {
      const failure = toFailure(error);
      if (!disproven.has(failure.code)) throw error;
      found.unproven.push({ file: names.join(", "), why: failure.message });
    }
  }
  if (found.proven.length > 0) {
    await writeSums(folders, await listPoints(folders, type.artefacts), type.artefacts, ctx.disk);
  }
  await warnOfLastCopies(run);
  return found;
}

/**
 * Reads a point of another system's, and says what is in it.
 * @throws {Failure} `backup_damaged`, `backup_hostile`.
 */
async function vouchFor(run: PointsRun, point: RestorePoint): Promise<Manifest> {
  const { ctx, type } = run;
  const app = await type.loadBackup();
  const shown = point.files.map(({ name }) => name).join(", ");
  const files = await openPoint(run, point, (done, total) => ctx.progress(`reading ${shown}`, done, total));
  try {
    const { identity, sizeBytes, facts } = await app.verify(files, { ...ctx });
    const entries: Manifest["files"] = [];
    const inOrder = type.artefacts.flatMap(({ kind }) => point.files.filter((file) => file.kind === kind));
    for (const { kind, name, sizeBytes: size } of inOrder) {
      const sha256 = (await files.get(kind)?.sha256()) as string;
      entries.push({ kind, name, sizeBytes: size, sha256, checksum: sha256 });
    }
    return {
      version: 1,
      id: point.id,
      // Before all that Keepsake makes; among themselves by their time.
      sequence: 1,
      takenAt: new Date(parsePointId(point.id) as number).toISOString(),
      app: ctx.app.name,
      type: type.type,
      runId: ctx.run.id,
      ...(identity && { identity }),
      ...(sizeBytes !== undefined && { sourceBytes: sizeBytes }),
      files: entries,
      facts,
    };
  } finally {
    for (const file of files.values()) await file.close();
  }
}

/** The next backup writes latest.* anew: one that no file of the history equals is gone then. */
async function warnOfLastCopies({ ctx, folders, type }: PointsRun): Promise<void> {
  const there = new Set(await namesIn(folders.backups));
  for (const artefact of type.artefacts) {
    const path = join(folders.backups, artefact.latest);
    if (!there.has(artefact.latest) || (await isInHistory(folders, artefact, path, ctx.signal))) continue;
    ctx.warn(
      `"${path}" is the same as no file under history/, and the next backup takes its place. To keep it: copy it into "${folders.history}" under a name such as the others have, then make adopt once more`,
    );
  }
}

/** A mirror's files are taken over by the next backup, which compares them with the data instead of copying them. */
async function surveyMirror(run: MirrorRun): Promise<Adoption> {
  const { ctx, type } = run;
  const published = await publishedMirror(run);
  const app = await type.loadBackup();
  if (published.manifest) return { proven: [], unproven: [] };
  const there = await namesIn(published.root);
  if (!there.includes(type.mirror.anchor)) return { proven: [], unproven: [] };
  return (await app.survey?.(ctx, published.root)) ?? { proven: [], unproven: [] };
}
