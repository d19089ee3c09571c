import { toFailure } from "../failures.ts";
import type { MirrorApp, MirrorPlan, MirrorSource, PublishedMirror } from "../mirror-app.ts";
import { mirrorManifest, mirrorRoot } from "../nas/mirror-points.ts";
import { parsePointId, pointIdOf } from "../nas/naming.ts";
import { requireSpace } from "../nas/nas.ts";
import { type Manifest, manifestPath, readManifests, sizeOf } from "../nas/points.ts";
import type { AppRun, MirrorRun, Result } from "./app-run.ts";
import { isMirrorRun } from "./app-run.ts";
import { copiedBefore } from "./mirror-incoming.ts";
import { removeOldLists, writeMirrorSums } from "./mirror-sums.ts";
import { describeMirror } from "./mirror-tree.ts";
import { isKept, placeUnits, type Standing, standingUnits } from "./mirror-units.ts";
import { whileStopped } from "./stopped.ts";
import { type Baseline, refuseSuspicious } from "./suspicion.ts";

type App = MirrorApp<unknown>;
type Units = ReadonlyMap<string, Standing>;

export async function publishedMirror({ folders, type }: MirrorRun): Promise<PublishedMirror> {
  const manifest = await mirrorManifest(folders);
  return { root: mirrorRoot(folders, type.mirror), ...(manifest && { manifest }) };
}

/** One backup of an app whose backup is a tree that follows the data. */
export async function runMirror(run: MirrorRun): Promise<Result> {
  const { ctx, type, state } = run;
  const app: App = await type.loadBackup();
  const published = await publishedMirror(run);
  const { manifest } = published;

  ctx.progress("looking at the data");
  const source = await app.examine(ctx, published);
  if (source.postponed !== undefined) return postponed(run, source.postponed);
  refuseSuspicious(run, baselineOf(run, manifest), source);

  const standing = await standingUnits(run, published);
  const intact = manifest?.files.every(({ name }) => standing.has(name)) && state.gate?.pointId === manifest.id;
  if (manifest && intact && state.gate?.source === source.fingerprint) {
    await copiedBefore(run, []);
    return unchanged(run, app, manifest, { source, units: standing, complete: true });
  }
  try {
    return await take(run, app, source, published, standing, async (taken) =>
      typeof taken === "string" ? postponed(run, taken) : publish(run, app, published, taken),
    );
  } catch (error) {
    // What does not fit is no use to the next run, and other apps' backups have to go somewhere.
    if (toFailure(error).code === "no_space") await copiedBefore(run, []);
    throw error;
  }
}

interface Taken {
  readonly source: MirrorSource;
  readonly plan: MirrorPlan;
  /** What is part of the backup now, in the plan's order. */
  readonly units: Units;
  /** Whether nothing had to be left out: then the gate may close. */
  readonly complete: boolean;
}

/**
 * Puts the units in place, with the app stopped for as much of it as the app says.
 * @param finish What is done with what was taken, or why it was put off, when the app says so once it is stopped.
 */
async function take(
  run: MirrorRun,
  app: App,
  source: MirrorSource,
  { root, manifest }: PublishedMirror,
  standing: Units,
  finish: (taken: Taken | string) => Promise<Result>,
): Promise<Result> {
  const { ctx, folders } = run;
  const published = { root, ...(manifest && { manifest }) };
  const plan = await app.plan(ctx, source, published);
  const missing = plan.units.filter((unit) => !isKept(unit, standing));
  await ctx.disk.makeDir(folders.staging);
  const neededBytes = sizeOf({ files: missing }) - (await copiedBefore(run, missing));
  await requireSpace(folders.staging, neededBytes, "write the backup");

  const place = async (from: MirrorSource, wanted: MirrorPlan, before: Units): Promise<Taken> => {
    const { placed, leftOut } = await placeUnits(run, wanted.units, root, before);
    // What could not be taken anew stays as it was, if it was there.
    const stays = [...wanted.keep, ...leftOut].flatMap((path) => {
      const unit = standing.get(path);
      return unit && !placed.has(path) ? ([[path, unit]] as const) : [];
    });
    return { source: from, plan: wanted, units: new Map([...placed, ...stays]), complete: leftOut.length === 0 };
  };

  const stops = missing.length === 0 ? "no" : ((await app.stops?.(ctx, source)) ?? "no");
  if (stops === "no") return finish(await place(source, plan, standing));
  let before = standing;
  if (stops === "end") {
    const early = plan.units.filter(({ closes }) => !closes);
    before = new Map([...standing, ...(await placeUnits(run, early, root, standing)).placed]);
  }
  const whenDown = async () => {
    // What was seen while it ran need not be what it left when it stopped.
    const now = await app.examine(ctx, published);
    if (now.postponed !== undefined) return now.postponed;
    refuseSuspicious(run, baselineOf(run, manifest), now);
    return place(now, await app.plan(ctx, now, published), before);
  };
  return whileStopped(run, whenDown, finish);
}

const baselineOf = ({ state }: MirrorRun, manifest: Manifest | undefined): Baseline =>
  state.baseline ?? { identity: manifest?.identity, sourceBytes: manifest?.sourceBytes };

async function publish(run: MirrorRun, app: App, published: PublishedMirror, taken: Taken): Promise<Result> {
  const { ctx, state } = run;
  const before = published.manifest;
  const files = [...taken.units.values()].map(({ entry }) => entry);
  const facts = taken.plan.facts;
  if (before && sameFiles(before.files, files)) {
    const manifest = { ...before, files, facts };
    if (JSON.stringify(manifest) !== JSON.stringify(before)) await writeManifest(run, manifest);
    await writeMirrorSums(run, manifest);
    await tidy(run, manifest);
    return unchanged(run, app, manifest, taken);
  }
  const { identity, sizeBytes } = taken.source;
  const id = freeId(ctx.now(), before);
  const manifest: Manifest = {
    version: 1,
    id,
    sequence: (before?.sequence ?? 0) + 1,
    takenAt: new Date(parsePointId(id) as number).toISOString(),
    app: ctx.app.name,
    type: ctx.app.type,
    runId: ctx.run.id,
    ...(identity && { identity }),
    ...(sizeBytes !== undefined && { sourceBytes: sizeBytes }),
    files,
    facts,
  };
  ctx.signal.throwIfAborted();
  ctx.progress("publishing");
  await writeManifest(run, manifest);
  await writeMirrorSums(run, manifest);
  await tidy(run, manifest);
  const { announces } = run.type;
  // Whoever is woken cleans up. Where nobody can be, or nobody came the last time, this run does.
  const isLeft = announces !== undefined && run.wakesOthers && state.last?.announces === undefined;
  const removed = isLeft ? [] : ((await app.cleanup?.(ctx, { ...published, manifest })) ?? []);
  const { restored, waiting: __, ...rest } = state;
  if (restored) ctx.warn(`This is the first backup after the restore of ${restored.pointId}`);
  return {
    outcome: "created",
    message: `${ctx.app.title}: the NAS follows, ${count(files)}, all of it verified`,
    point: describeMirror(run, manifest),
    ...(before && { previousSizeBytes: sizeOf(before) }),
    removed,
    ...(announces && { announces }),
    pointCount: 1,
    state: {
      ...rest,
      baseline: { ...(identity && { identity }), ...(sizeBytes !== undefined && { sourceBytes: sizeBytes }) },
      gate: gateOf(manifest, taken),
    },
  };
}

async function unchanged(
  run: MirrorRun,
  app: App,
  manifest: Manifest,
  seen: Pick<Taken, "source" | "units" | "complete">,
): Promise<Result> {
  const { ctx, folders, state, type } = run;
  const removed = (await app.cleanup?.(ctx, { root: mirrorRoot(folders, type.mirror), manifest })) ?? [];
  const { waiting: _, ...rest } = state;
  const { identity, sourceBytes } = manifest;
  return {
    outcome: "unchanged",
    message: `${ctx.app.title}: unchanged since ${manifest.id}`,
    point: describeMirror(run, manifest),
    removed,
    pointCount: 1,
    state: {
      ...rest,
      baseline: state.baseline ?? { ...(identity && { identity }), ...(sourceBytes !== undefined && { sourceBytes }) },
      gate: gateOf(manifest, seen),
    },
  };
}

function postponed({ ctx, state }: MirrorRun, why: string): Result {
  return { outcome: "postponed", message: `${ctx.app.title}: postponed: ${why}`, state };
}

/** Removes what nothing refers to any more; computed from the NAS and the data alone. */
export async function runCleanup(run: AppRun): Promise<Result> {
  const { ctx, state } = run;
  const published = isMirrorRun(run) ? await publishedMirror(run) : undefined;
  const app: App | undefined = isMirrorRun(run) ? await run.type.loadBackup() : undefined;
  const removed = published ? ((await app?.cleanup?.(ctx, published)) ?? []) : [];
  return {
    outcome: "cleaned",
    message: `${ctx.app.title}: ${removed.length === 0 ? "nothing to remove" : `removed ${removed.join(", ")}`}`,
    removed,
    state,
  };
}

const gateOf = ({ id }: Manifest, { source, units, complete }: Pick<Taken, "source" | "units" | "complete">) => ({
  pointId: id,
  published: Object.fromEntries([...units].map(([path, { fingerprint }]) => [path, fingerprint])),
  ...(complete && { source: source.fingerprint }),
});

function count(files: Manifest["files"]): string {
  const inFolders = files.map(({ kind, about }) => (kind === "folder" ? Number(about?.files ?? 0) : 1));
  const n = inFolders.reduce((sum, more) => sum + more, 0);
  return `${n} ${n === 1 ? "file" : "files"}`;
}

function sameFiles(a: Manifest["files"], b: Manifest["files"]): boolean {
  const lines = (files: Manifest["files"]) =>
    files.map(({ name, sha256, sizeBytes }) => `${name} ${sha256} ${sizeBytes}`).sort();
  return lines(a).join("\n") === lines(b).join("\n");
}

/** The new one first: a run that is killed in between leaves two, of which the newer counts. */
async function writeManifest({ ctx, folders }: MirrorRun, manifest: Manifest): Promise<void> {
  await ctx.disk.makeDir(folders.points);
  await ctx.disk.replace(manifestPath(folders, manifest.id), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** Removes what led to this manifest, and what came before it. */
async function tidy(run: MirrorRun, manifest: Manifest): Promise<void> {
  const { ctx, folders } = run;
  for (const { id } of await readManifests(folders)) {
    if (id !== manifest.id) await ctx.disk.remove(manifestPath(folders, id));
  }
  await removeOldLists(run, manifest);
  await ctx.disk.removeTree(folders.incoming);
}

function freeId(nowMs: number, before: Manifest | undefined): string {
  const id = pointIdOf(nowMs);
  return id === before?.id ? pointIdOf(nowMs + 1000) : id;
}
