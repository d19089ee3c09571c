import { join } from "node:path";
import type { DrillApp, DrillPlace, RunContext } from "../app.ts";
import { Failure, type FailureCode, failures, toFailure } from "../failures.ts";
import { clearMark, markDamage, readMarks } from "../nas/damage.ts";
import { requireSpace } from "../nas/nas.ts";
import type { RestorePoint } from "../nas/points.ts";
import { type AppRun, type Ended, isMirrorRun } from "./app-run.ts";
import { resolveAt } from "./at.ts";
import type { RunRequest } from "./description.ts";
import { nextPoint } from "./drill-choice.ts";
import { type DrillMemory, readDrillMemory, stampOf, writeDrillMemory } from "./drill-state.ts";
import { pointsOf } from "./points-of.ts";
import { describePoint, openVerified } from "./restore.ts";
import { scrubFiles } from "./scrub-files.ts";
import { readFileBack } from "./scrub-read.ts";

/** Failures that say nothing about the backup: this machine lacks something that a drill needs. */
const hindrances = new Set<FailureCode>([
  "no_space", "tool_missing", "target_invalid", "override_needed", "source_unreachable",
]); // biome-ignore format: one line reads better
/** Failures of the run itself. */
const ownFailures = new Set<FailureCode>(["nas_unreachable", "nas_not_marked", "lock_lost", "cancelled"]);

/**
 * Restores a backup into scratch space by the code of a real restore, and compares what it brought with what was
 * recorded when it was taken. Nothing of production is touched, and the app is neither asked nor stopped.
 * @param root Folder of this machine in which each app has one for what its drills restore.
 */
export async function runDrill(
  run: AppRun,
  request: Extract<RunRequest, { operation: "drill" }>,
  root: string,
): Promise<Ended> {
  const { type, folders } = run;
  const app = await type.loadDrill?.();
  const { ctx, folder } = await clearScratch(run, app, root);
  const { disk } = ctx;
  await run.ctx.disk.makeDir(folders.drill);
  const memory = await readDrillMemory(folders);
  const points = await pointsOf(folders, type);
  const point =
    request.at === undefined
      ? nextPoint(points, memory)
      : resolveAt(request.at, points, request.timeZone ?? "UTC", ctx.now());
  if (!point) return inconclusive(run, undefined, new Failure("not_found", "there is no backup yet"));
  if (!app) return inconclusive(run, point, new Failure("tool_missing", `a backup of ${type.title} has no drill`));
  try {
    await disk.makeDir(folder);
    await requireSpace(folder, app.neededBytes(point), "restore into scratch space");
    const { tookMs, compared } = await rehearse({ ...run, ctx }, app, point, folder);
    if (await isReplaced(run, point)) return inconclusive(run, point, replacedMeanwhile(point));
    await settleProven(run, point);
    await remember(run, memory, point, { proven: true, tookMs });
    const took = `${(tookMs / 1000).toFixed(1)} s`;
    return {
      outcome: "proven",
      message: `${type.title}: ${point.id} was restored into scratch space in ${took}, and is what it was: ${compared.join(", ")}`,
      point: describePoint(run, point),
      drill: { pointId: point.id, tookMs, compared },
    };
  } catch (error) {
    ctx.signal.throwIfAborted();
    return await judge(run, app, memory, point, toFailure(error));
  } finally {
    await disk.removeTree(folder).catch((error) => ctx.log.warn({ err: error }, "the next drill removes what is left"));
  }
}

/** A folder without anything in it, also of a drill that was killed. */
async function clearScratch(
  run: AppRun,
  app: DrillApp<unknown> | undefined,
  root: string,
): Promise<{ ctx: RunContext; folder: string }> {
  // What is restored is this machine's: no other user of it shall read it.
  const disk = run.ctx.disk.with({ owner: undefined, fileMode: 0o600, dirMode: 0o700 });
  const ctx = { ...run.ctx, disk };
  // All of it is removed, so it has a name that nobody gives to anything else.
  const folder = join(root, `keepsake-drill-${ctx.app.name}`);
  await app?.endLeft?.(ctx, folder);
  await disk.removeTree(folder);
  return { ctx, folder };
}

/** Removes what a drill that was killed has left on this machine, unless another one is at work there by now. */
export async function removeLeftDrill(run: AppRun, root: string): Promise<void> {
  const { ctx, folders, place, type } = run;
  const lock = await place.takeLock(folders, "drill", ctx.run, ctx.disk).catch((error) => {
    if (toFailure(error).code !== "app_busy") throw error;
  });
  if (!lock) return;
  try {
    await clearScratch(run, await type.loadDrill?.(), root);
  } finally {
    await lock.release();
  }
}

/** The restore, into `folder`, and the comparison. */
async function rehearse(
  run: AppRun,
  app: DrillApp<unknown>,
  point: RestorePoint,
  folder: string,
): Promise<{ tookMs: number; compared: string[] }> {
  const { ctx, type } = run;
  const restore = await type.loadRestore();
  let place: DrillPlace<unknown> | undefined;
  const startMs = performance.now();
  // First: a backup that is damaged needs no scratch space to be found so.
  const { files, facts, close } = await openVerified(run, restore, point, undefined);
  const verifiedMs = performance.now() - startMs;
  try {
    ctx.progress("preparing scratch space");
    place = await app.open(ctx, point, folder);
    const scratchCtx = contextOf(ctx, place);
    ctx.progress("restoring into scratch space");
    const fromMs = performance.now();
    const target = restore.target(scratchCtx);
    await target.stage(files, facts);
    ctx.signal.throwIfAborted();
    await target.swap();
    await target.commit();
    const tookMs = Math.round(verifiedMs + performance.now() - fromMs);
    ctx.progress("comparing");
    return { tookMs, compared: await app.compare(scratchCtx, point) };
  } finally {
    await close();
    await place?.close?.();
  }
}

/** What a restore warns of is of no use to anybody here: nothing of it stays. */
const contextOf = (ctx: RunContext, { settings, allow = [] }: DrillPlace<unknown>): RunContext => ({
  ...ctx,
  settings,
  canStop: false,
  allows: (override) => allow.includes(override),
  warn: (message) => ctx.log.info({ message }, "the restore of a drill warned"),
});

/** What a drill that did not come to its end says of the backup. */
async function judge(
  run: AppRun,
  app: DrillApp<unknown>,
  memory: DrillMemory,
  point: RestorePoint,
  failure: Failure,
): Promise<Ended> {
  const { ctx, type } = run;
  if (ownFailures.has(failure.code)) throw failure;
  if (await isReplaced(run, point)) return inconclusive(run, point, replacedMeanwhile(point));
  if (isMirrorRun(run) && (await run.place.lockHolder(run.folders, "main"))) {
    return inconclusive(run, point, new Failure("source_changing", `a backup is at work on ${point.id}`));
  }
  if (hindrances.has(failure.code)) {
    await remember(run, memory, point, undefined);
    return inconclusive(run, point, remedied(failure, app.remedies));
  }
  const isDamaged = failure.code === "backup_damaged" || failure.code === "backup_hostile";
  if (isDamaged) await markWhatIsWrong(run, point, failure.message);
  await remember(run, memory, point, { proven: false });
  const names = point.files.map(({ name }) => name).join(", ");
  const ended = isDamaged
    ? new Failure(failure.code, `${type.title}: ${point.id} (${names}) cannot be restored: ${failure.message}`, {
        cause: failure,
        hint: `It counts for nothing any more. Other restore points: make list-${ctx.app.name}. A new one: make backup-${ctx.app.name}`,
      })
    : new Failure("drill_failed", `${type.title}: ${point.id} (${names}) could not be restored: ${failure.message}`, {
        cause: failure,
        hint: failure.hint ?? `Its bytes are what they were. Another point: make drill-${ctx.app.name} AT=…`,
      });
  if (failure.code === "internal") ctx.log.error({ err: failure }, "a drill failed in a way that nobody foresaw");
  return {
    outcome: "failed",
    message: ended.message,
    failure: ended,
    point: describePoint(run, point),
    drill: { pointId: point.id, compared: [] },
  };
}

/** Retention may have removed the point, or a backup changed the mirror, while it was read. */
async function isReplaced(run: AppRun, point: RestorePoint): Promise<boolean> {
  const now = (await pointsOf(run.folders, run.type)).find(({ id }) => id === point.id);
  return !now || stampOf(now) !== stampOf(point);
}

const replacedMeanwhile = ({ id }: RestorePoint) =>
  new Failure("source_changing", `${id} was replaced or removed by a backup meanwhile`);

/** What a restore advises does not always help a drill. */
const remedied = ({ code, message, hint, cause }: Failure, remedies: DrillApp<unknown>["remedies"] = {}) => {
  const noRoom = "Free some space there, or name a folder with more room in the setting `drillFolder`.";
  const remedy = remedies[code] ?? (code === "no_space" ? noRoom : hint);
  return new Failure(code, message, { cause, ...(remedy !== undefined && { hint: remedy }) });
};

function inconclusive(run: AppRun, point: RestorePoint | undefined, why: Failure): Ended {
  const { code, message, hint } = why;
  const pointId = point && { pointId: point.id };
  return {
    outcome: "inconclusive",
    message: `${run.ctx.app.title}: nothing was proven: ${message}`,
    ...(point && { point: describePoint(run, point) }),
    drill: {
      ...pointId,
      compared: [],
      hindrance: { code, message, ...(hint !== undefined && { hint }), retryable: failures[code].retryable },
    },
  };
}

/** @param result Absent: it could not tell, so what was known stays. */
async function remember(
  { ctx, folders, type }: AppRun,
  memory: DrillMemory,
  point: RestorePoint,
  result: { proven: boolean; tookMs?: number } | undefined,
): Promise<void> {
  const there = new Set((await pointsOf(folders, type)).map(({ id }) => id));
  const points = Object.fromEntries(Object.entries(memory.points).filter(([id]) => there.has(id)));
  const entry = result && { stamp: stampOf(point), at: new Date(ctx.now()).toISOString(), ...result };
  const next = { ...memory, drills: memory.drills + 1, points: { ...points, ...(entry && { [point.id]: entry }) } };
  await writeDrillMemory(folders, next, ctx.disk);
}

/** Files whose bytes are not those of the manifest; else the point itself, whose bytes were wrong from the start. */
async function markWhatIsWrong(run: AppRun, point: RestorePoint, why: string): Promise<void> {
  const { ctx, folders } = run;
  const { manifest } = point;
  if (!manifest) return;
  const found = { at: new Date(ctx.now()).toISOString(), why, by: "drill" as const };
  let isRotten = false;
  for (const file of await scrubFiles(run)) {
    const entry = manifest.files.find(({ name, sha256 }) => name === file.name && file.wanted.includes(sha256));
    if (!entry || file.isMissing) continue;
    const { ok } = await readFileBack(file, undefined, { folders, signal: ctx.signal, onBytes: async () => {} });
    if (ok) continue;
    isRotten = true;
    await markDamage(folders, { ...found, name: entry.name, sha256: entry.sha256 }, ctx.disk);
  }
  if (isRotten) return;
  await markDamage(folders, { ...found, point: manifest.id, sequence: manifest.sequence }, ctx.disk);
}

async function settleProven({ ctx, folders }: AppRun, { manifest }: RestorePoint): Promise<void> {
  if (!manifest) return;
  for (const mark of await readMarks(folders)) {
    const isOfThis =
      "point" in mark
        ? mark.point === manifest.id && mark.sequence === manifest.sequence
        : manifest.files.some(({ name, sha256 }) => name === mark.name && sha256 === mark.sha256);
    if (!isOfThis) continue;
    await clearMark(folders, mark, ctx.disk);
    ctx.warn(`${manifest.id} was damaged, and is what it was again`);
  }
}
