import { stat } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Artefact, BackupApp, Capture, Facts, KnownSource, Source, Stage, Verified } from "../app.ts";
import { crc32Text } from "../crc32.ts";
import type { Written } from "../disk.ts";
import { Failure } from "../failures.ts";
import { parsePointId, pointIdOf } from "../nas/naming.ts";
import { requireSpace } from "../nas/nas.ts";
import { aboutOf, listPoints, type Manifest, newestGood, type RestorePoint, sizeOf } from "../nas/points.ts";
import { publishPoint, removePoints, type StagedFile, writeSums } from "../nas/publish.ts";
import { openReadBack, type ReadBack } from "../nas/read-back.ts";
import { selectExpired } from "../nas/retention.ts";
import { fileFingerprint } from "../source/fingerprint.ts";
import type { PointsRun, Result } from "./app-run.ts";
import { ensurePublished, mendCutShort } from "./published.ts";
import { whileStopped } from "./stopped.ts";
import { type Baseline, refuseSuspicious } from "./suspicion.ts";

type Good = RestorePoint & { manifest: Manifest };

/** One backup, from the gate to retention. */
export async function runBackup(run: PointsRun): Promise<Result> {
  const { ctx, type, folders, state } = run;
  const app: BackupApp<unknown, Source> = await type.loadBackup();

  ctx.progress("looking at the data");
  let points = await listPoints(folders, type.artefacts);
  const mended = await mendCutShort(folders, type, points, ctx.disk, ctx.signal);
  if (mended.length > 0) points = await listPoints(folders, type.artefacts);
  for (const what of mended) ctx.warn(what);
  const newest = newestGood(points) as Good | undefined;
  const known = knownSource(run, newest);
  let source = await app.examine(ctx, known);
  const published = newest && (await ensurePublished(folders, type, newest, state.gate, ctx.disk, ctx.signal));
  if (newest && !published) ctx.warn(`${newest.id} is damaged on the NAS, and counts for nothing any more`);
  for (const what of published?.mended ?? []) ctx.warn(what);
  const baseline = await baselineOf(run, app, points);
  refuseSuspicious(run, baseline, source);

  const untouched =
    source.fingerprint !== undefined && state.gate?.source === source.fingerprint && state.gate.pointId === newest?.id;
  if (newest && published && untouched) return unchanged(run, newest, published, source, points);

  const stagingFolder = join(folders.staging, ctx.run.id);
  await ctx.disk.makeDir(stagingFolder);
  try {
    if (source.sizeBytes !== undefined) await requireSpace(folders.staging, 2 * source.sizeBytes, "write the backup");
    const staged: Staged = new Map();
    const usable = published && newest;
    const capture = async () => {
      staged.clear();
      return app.capture(ctx, source, stageIn(run, stagingFolder, staged, untouchedKinds(run, usable, source)));
    };
    const finish = async (captured: Capture): Promise<Result> => {
      const files = filesOf(captured, staged, usable);
      if (usable && files.length === usable.manifest.files.length && files.every((file) => file.taken)) {
        return await unchanged(run, usable, published, captured, points);
      }
      refuseSuspicious(run, baseline, {
        ...source,
        ...(captured.sizeBytes !== undefined && { sizeBytes: captured.sizeBytes }),
      });
      for (const { kind, taken } of files) if (taken) staged.delete(kind);
      const verified = await together(
        verifyStaged(run, app, stagingFolder, staged, captured.about),
        copyForLatest(run, stagingFolder, staged),
      );
      // Some apps can tell only from the copy which data it is.
      if (!source.identity && verified.identity) refuseSuspicious(run, baseline, { identity: verified.identity });
      if (newest) for (const change of app.changes?.(newest.manifest.facts, verified.facts) ?? []) ctx.warn(change);
      return publish(run, { source, capture: captured, files, stagingFolder, verified, points, newest });
    };
    if (!(await app.stops?.(ctx, source))) return await finish(await capture());
    const whenDown = async () => {
      // What was seen while it ran need not be what it left when it stopped.
      source = await app.examine(ctx, known);
      return capture();
    };
    return await whileStopped(run, whenDown, finish);
  } finally {
    await ctx.disk.removeTree(stagingFolder);
  }
}

/** By artefact: what was written. */
type Staged = Map<string, Written & { readonly crc32: string }>;

function stageIn({ ctx }: PointsRun, folder: string, staged: Staged, untouched: ReadonlySet<string>): Stage {
  return {
    untouched,
    write: async (kind, bytes, totalBytes) => {
      // An app that saw its data move while it was copied writes the artefact once more.
      await ctx.disk.remove(join(folder, kind));
      let sum = 0;
      const summed = async function* () {
        for await (const chunk of bytes) {
          sum = crc32(chunk, sum);
          yield chunk;
        }
      };
      const written = await ctx.disk.write(join(folder, kind), summed(), {
        signal: ctx.signal,
        onBytes: (done) => ctx.progress("copying", done, totalBytes),
      });
      staged.set(kind, { ...written, crc32: crc32Text(sum) });
      return written;
    },
  };
}

/** What is known of a source that has not changed since the newest point was made. */
function knownSource({ state }: PointsRun, newest: Good | undefined): KnownSource | undefined {
  const fingerprint = state.gate?.source;
  if (fingerprint === undefined || !newest || state.gate?.pointId !== newest.id) return undefined;
  return { fingerprint, ...(newest.manifest.identity && { identity: newest.manifest.identity }) };
}

/** Artefacts that the newest point has as the source has them, by their fingerprints. */
function untouchedKinds({ state }: PointsRun, newest: Good | undefined, source: Source): Set<string> {
  if (!newest || state.gate?.pointId !== newest.id) return new Set();
  const kinds = newest.manifest.files.map(({ kind }) => kind);
  return new Set(
    kinds.filter((kind) => {
      const fingerprint = source.fingerprints?.get(kind);
      return fingerprint !== undefined && fingerprint === state.gate?.sources?.[kind];
    }),
  );
}

/** A file of the new point: written in this run, or `taken` over from the point before. */
type PointFile = Omit<Manifest["files"][number], "name"> & { readonly taken?: Manifest["files"][number] };

/** What the new point consists of: what was captured, and what need not be, because the newest point has it. */
function filesOf(capture: Capture, staged: Readonly<Staged>, newest: Good | undefined): PointFile[] {
  const before = new Map(newest?.manifest.files.map((file) => [file.kind, file]));
  const written = [...staged].map(([kind, bytes]): PointFile => {
    const checksum = capture.checksums.get(kind) ?? bytes.sha256;
    const taken = before.get(kind);
    if (taken?.checksum === checksum) return { ...taken, taken };
    const about = capture.about?.get(kind);
    return { kind, ...bytes, checksum, ...(about && { about }) };
  });
  const kept = [...(capture.untouched ?? [])].flatMap((kind): PointFile[] => {
    const taken = before.get(kind);
    return taken && !staged.has(kind) ? [{ ...taken, taken }] : [];
  });
  return [...written, ...kept];
}

/** What the source is compared with: what the last run accepted, else the newest point, even one of the incumbent's. */
async function baselineOf(run: PointsRun, app: BackupApp<unknown>, points: readonly RestorePoint[]): Promise<Baseline> {
  if (run.state.baseline) return run.state.baseline;
  const newest = newestGood(points) ?? points.at(-1);
  if (!newest) return {};
  if (newest.manifest) return { identity: newest.manifest.identity, sourceBytes: newest.manifest.sourceBytes };
  const files = new Map<string, ReadBack>();
  try {
    for (const { kind, path } of newest.files) files.set(kind, await openReadBack(path, { signal: run.ctx.signal }));
    const { identity, sizeBytes } = await app.verify(files, { ...run.ctx, about: aboutOf(newest) });
    return { identity, sourceBytes: sizeBytes ?? sizeOf(newest) };
  } catch (error) {
    run.ctx.warn(
      `The newest file that was there before, ${newest.files[0]?.name}, cannot be vouched for: ${(error as Error).message}`,
    );
    return {};
  } finally {
    for (const file of files.values()) await file.close();
  }
}

/** Neither goes on when this ends: what they work on is removed. @returns What the first has come to. */
async function together<T>(work: Promise<T>, other: Promise<void>): Promise<T> {
  await Promise.allSettled([work, other]);
  const result = await work;
  await other;
  return result;
}

const latestIn = (stagingFolder: string, kind: string) => join(stagingFolder, `${kind}.latest`);

/**
 * Makes what becomes latest.* once the point is published, and reads it back. Its original is proven by sha256; what a disk
 * or a network does to a copy, CRC-32 finds.
 */
async function copyForLatest({ ctx }: PointsRun, folder: string, staged: Readonly<Staged>): Promise<void> {
  for (const [kind, { crc32: wanted }] of staged) {
    const copy = latestIn(folder, kind);
    await ctx.disk.copy(join(folder, kind), copy);
    const file = await openReadBack(copy, { signal: ctx.signal });
    const actual = await file.crc32().finally(() => file.close());
    if (actual === wanted) continue;
    throw new Failure("nas_write_failed", `Cannot write "${copy}": CRC-32 ${wanted} is wanted, is ${actual}`, {
      hint: damages,
    });
  }
}

const damages = "The NAS, its disks or the network damage data. Nothing was published.";

/** Reads back what was written: the bytes as they were sent, and what they mean. */
async function verifyStaged(
  run: PointsRun,
  app: BackupApp<unknown>,
  folder: string,
  staged: Readonly<Staged>,
  about: ReadonlyMap<string, Facts> | undefined,
): Promise<Verified> {
  const { ctx } = run;
  const files = new Map<string, ReadBack>();
  try {
    for (const [kind, { sizeBytes }] of staged) {
      const onBytes = (done: number) => ctx.progress("verifying", done, sizeBytes);
      files.set(kind, await openReadBack(join(folder, kind), { signal: ctx.signal, onBytes }));
    }
    const verified = await app.verify(files, { ...ctx, ...(about && { about }) }).catch((error) => {
      // What was just read from the source is bad: it was so before, or was written wrongly. Either way no backup.
      throw error instanceof Failure && error.code === "backup_damaged"
        ? new Failure(
            "source_invalid",
            `Cannot vouch for what was captured, so it is not published: ${error.message}`,
            {
              cause: error,
              hint: "The backups that are there stay as they are. Look at the data itself.",
            },
          )
        : error;
    });
    for (const [kind, { sha256 }] of staged) {
      const actual = await files.get(kind)?.sha256();
      if (actual === sha256) continue;
      throw new Failure(
        "nas_write_failed",
        `Cannot write "${join(folder, kind)}": sha256 ${sha256} was sent, ${actual} was read back`,
        { hint: damages },
      );
    }
    return verified;
  } finally {
    for (const file of files.values()) await file.close();
  }
}

interface Publication {
  source: Source;
  capture: Capture;
  files: readonly PointFile[];
  stagingFolder: string;
  verified: Verified;
  points: readonly RestorePoint[];
  newest: Good | undefined;
}

async function publish(
  run: PointsRun,
  { source, capture, files: pointFiles, stagingFolder, verified, points, newest }: Publication,
): Promise<Result> {
  const { ctx, type, folders, state } = run;
  const { id, takenAtMs } = freeId(capture.takenAtMs, points, type.artefacts);
  // What is taken over from the point before is still of the same data.
  const keptIdentity = pointFiles.some(({ taken }) => taken) ? newest?.manifest.identity : undefined;
  const identity = source.identity ?? verified.identity ?? keptIdentity;
  const sourceBytes = capture.sizeBytes ?? source.sizeBytes;
  const files = type.artefacts.flatMap(({ kind, naming }) => {
    const file = pointFiles.find((candidate) => candidate.kind === kind);
    return file ? [file.taken ?? { ...file, name: naming.name(id, capture.label) }] : [];
  });
  const written = files.filter(({ kind }) => !pointFiles.some((file) => file.kind === kind && file.taken));
  const manifest: Manifest = {
    version: 1,
    id,
    sequence: Math.max(0, ...points.map((point) => point.manifest?.sequence ?? 0)) + 1,
    takenAt: new Date(takenAtMs).toISOString(),
    app: ctx.app.name,
    type: type.type,
    runId: ctx.run.id,
    ...(identity && { identity }),
    ...(sourceBytes !== undefined && { sourceBytes }),
    files,
    facts: { ...verified.facts, ...capture.facts },
  };
  const ready: StagedFile[] = [];
  const fingerprints: Record<string, string> = {};
  for (const { kind, name } of written) {
    const path = join(stagingFolder, kind);
    await ctx.disk.setTimes(path, takenAtMs);
    ready.push({ path, name });
  }
  ctx.signal.throwIfAborted();
  ctx.progress("publishing");
  await publishPoint(folders, manifest, ready, ctx.disk);
  const remember = async (key: string) => {
    const path = join(folders.backups, key);
    fingerprints[key] = fileFingerprint(path, await stat(path));
  };
  for (const { kind, name } of written) {
    await remember(`history/${name}`);
    const artefact = type.artefacts.find((candidate) => candidate.kind === kind) as Artefact;
    const copy = latestIn(stagingFolder, kind);
    await ctx.disk.setTimes(copy, takenAtMs);
    await ctx.disk.rename(copy, join(folders.backups, artefact.latest));
    await remember(artefact.latest);
  }
  const point = newestGood(await listPoints(folders, type.artefacts)) as Good;
  const takenOver = type.artefacts.flatMap(({ kind, latest }) => {
    const taken = pointFiles.find((file) => file.kind === kind)?.taken;
    return taken ? [latest, `history/${taken.name}`, `pinned/${taken.name}`] : [];
  });
  for (const key of takenOver) {
    const known = state.gate?.published[key];
    if (known !== undefined) fingerprints[key] = known;
  }
  const gate = { pointId: id, published: fingerprints };
  const published = await ensurePublished(folders, type, point, gate, ctx.disk, ctx.signal);
  if (point.id !== id || !published) {
    throw new Failure("nas_write_failed", `Cannot publish "${id}": it is not what was written a moment ago`);
  }
  const kept = await retain(run, await listPoints(folders, type.artefacts));
  const { restored: _, waiting: __, ...before } = state;
  if (state.restored) ctx.warn(`This is the first backup after the restore of ${state.restored.pointId}`);
  return {
    outcome: "created",
    message: `${ctx.app.title}: ${written.map(({ name }) => name).join(", ")} made and verified`,
    point: {
      id,
      takenAt: manifest.takenAt,
      files: files.map(({ name, sizeBytes, sha256 }) => ({ name, sizeBytes, sha256 })),
    },
    ...(newest && { previousSizeBytes: sizeOf(newest) }),
    ...kept,
    state: {
      ...before,
      baseline: { ...(identity && { identity }), ...(sourceBytes !== undefined && { sourceBytes }) },
      gate: { pointId: id, published: published.fingerprints, ...gateOf(capture) },
    },
  };
}

/** The id that the moment gives, or that of the next second that no point has. */
function freeId(
  takenAtMs: number,
  points: readonly RestorePoint[],
  artefacts: readonly Artefact[],
): { id: string; takenAtMs: number } {
  // A file that a later point has taken over keeps the moment of one that has expired.
  const ofFiles = points.flatMap(({ files }) =>
    files.map(({ name }) => artefacts.map(({ naming }) => naming.parse(name)?.id).find((id) => id !== undefined)),
  );
  const taken = new Set([...points.map(({ id }) => id), ...ofFiles]);
  for (let ms = takenAtMs; ; ms += 1000) {
    const id = pointIdOf(ms);
    if (!taken.has(id)) return { id, takenAtMs: parsePointId(id) as number };
  }
}

/** What the next run compares its source with. */
const gateOf = ({ fingerprint, fingerprints }: Pick<Source, "fingerprint" | "fingerprints">) => ({
  ...(fingerprint !== undefined && { source: fingerprint }),
  ...(fingerprints && { sources: Object.fromEntries(fingerprints) }),
});

async function unchanged(
  run: PointsRun,
  newest: Good,
  published: { fingerprints: Record<string, string> },
  seen: Pick<Source, "fingerprint" | "fingerprints">,
  points: readonly RestorePoint[],
): Promise<Result> {
  const { ctx, state } = run;
  const { waiting: _, ...before } = state;
  return {
    outcome: "unchanged",
    message: `${ctx.app.title}: unchanged since ${newest.id}`,
    point: { id: newest.id, takenAt: newest.manifest.takenAt, files: newest.manifest.files },
    ...(await retain(run, points)),
    state: {
      ...before,
      baseline: state.baseline ?? {
        ...(newest.manifest.identity && { identity: newest.manifest.identity }),
        ...(newest.manifest.sourceBytes !== undefined && { sourceBytes: newest.manifest.sourceBytes }),
      },
      gate: { pointId: newest.id, published: published.fingerprints, ...gateOf(seen) },
    },
  };
}

/** Removes what the policy lets go of. Only after a point was published, or found to be what it was. */
async function retain(
  { ctx, type, config, folders }: PointsRun,
  points: readonly RestorePoint[],
): Promise<{ removed: string[]; pointCount: number }> {
  const { keepDaily, keepWeekly, keepMonthly } = config.common;
  const expired = selectExpired(points, { keep: config.keep, keepDaily, keepWeekly, keepMonthly });
  const removed = await removePoints(folders, expired, points, ctx.disk);
  const left = expired.length === 0 ? points : await listPoints(folders, type.artefacts);
  await writeSums(folders, left, type.artefacts, ctx.disk);
  return { removed, pointCount: left.length };
}
