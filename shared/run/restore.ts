import type { BackupApp, PointFacts, PresentData, RestoreApp, RestoreTarget, Source } from "../app.ts";
import { isMirror } from "../app.ts";
import { Failure, toFailure } from "../failures.ts";
import type { FileWorker } from "../file-worker.ts";
import { aboutOf, factsOf, type RestorePoint, sizeOf } from "../nas/points.ts";
import { openReadBack, type ReadBack } from "../nas/read-back.ts";
import { type AppRun, isMirrorRun, type PointsRun, type Result } from "./app-run.ts";
import { resolveAt } from "./at.ts";
import type { RunRequest } from "./description.ts";
import { describeMirror, mirrorTree, verifyMirror } from "./mirror-tree.ts";
import { pointsOf } from "./points-of.ts";
import type { Plan } from "./report.ts";

type RestoreRequest = Extract<RunRequest, { operation: "restore" }>;

/** One restore: verified before the app is touched, put back when anything fails. */
export async function runRestore(run: AppRun, request: RestoreRequest): Promise<Result> {
  const { ctx, type, folders, state } = run;
  const restore = await type.loadRestore();
  const target = restore.target(ctx);
  refuseUnknownPart(run, request.only);
  const point = resolveAt(request.at, await pointsOf(folders, type), request.timeZone ?? "UTC", ctx.now());
  const { files, facts, close } = await openVerified(run, restore, point, request.only);
  const wanted: PointFacts = { ...facts, ...(request.only !== undefined && { only: request.only }) };
  try {
    const described = describePoint(run, point);
    if (request.to !== undefined) {
      ctx.progress(`restoring to ${request.to}`);
      const restoredTo = await target.place(files, wanted, request.to);
      return {
        outcome: "restored",
        message: `${ctx.app.title}: ${point.id} put beside production, in ${restoredTo}`,
        point: described,
        restoredTo,
      };
    }
    await replaceData(run, restore, target, () => stageWithRoom(run, target, () => target.stage(files, wanted)));
    const present = await target.present();
    // An app that tells its data apart by something that it makes at its first start may not have it yet.
    const identity = present ? present.identity : point.manifest?.identity;
    const { gate: _, waiting: __, ...before } = state;
    return {
      outcome: "restored",
      message: `${ctx.app.title}: restored ${request.only === undefined ? point.id : `${request.only} of ${point.id}`}`,
      point: described,
      state: {
        ...before,
        baseline: {
          ...(identity && { identity }),
          ...(point.manifest?.sourceBytes !== undefined && { sourceBytes: point.manifest.sourceBytes }),
        },
        restored: { runId: ctx.run.id, pointId: point.id },
      },
    };
  } finally {
    await close();
  }
}

/** Puts back what the last restore, or the last undo, replaced. */
export async function runUndo(run: AppRun): Promise<Result> {
  const { ctx, type, state } = run;
  const restore = await type.loadRestore();
  const target = restore.target(ctx);
  const [aside] = await target.asides();
  if (!aside) {
    throw new Failure(
      "not_found",
      `Cannot undo: nothing that a restore of "${ctx.app.name}" replaced is kept any more`,
      {
        hint: `It is kept for ${run.config.common.keepReplacedDays} days. Restore points: make list-${ctx.app.name}`,
      },
    );
  }
  // An undo that was killed after its commit: undoing once more would take it back.
  const done = run.abandoned?.request.operation === "undo" && aside.id === run.abandoned.id;
  if (!done) await replaceData(run, restore, target, () => target.stageAside(aside));
  const { gate: _, waiting: __, baseline: ___, restored: ____, ...before } = state;
  return {
    outcome: "undone",
    message: done
      ? `${ctx.app.title}: undone already, by the run that was killed after it`
      : `${ctx.app.title}: back to what was there before ${aside.id} (${aside.label})`,
    state: before,
  };
}

/** What a restore would do; changes nothing. */
export async function runPlan(run: AppRun, request: Extract<RunRequest, { operation: "plan" }>): Promise<Result> {
  const { ctx, type, folders } = run;
  const restore = await type.loadRestore();
  const target = restore.target(ctx);
  refuseUnknownPart(run, request.only);
  const points = await pointsOf(folders, type);
  const point = points.length === 0 ? undefined : resolveAt(request.at, points, request.timeZone ?? "UTC", ctx.now());
  const [present, [aside]] = [await target.present(), await target.asides()];
  const plan: Plan = {
    ...(point && {
      point: {
        id: point.id,
        takenAt: new Date(point.takenAtMs).toISOString(),
        sizeBytes: sizeOf(point),
        verified: point.good,
        files: point.files.map(({ name }) => name),
        from: point.files[0]?.path ?? folders.history,
      },
    }),
    ...(present && { present: describePresent(present, point) }),
    stopsApp: restore.needsStop,
    ...(aside && { undo: { label: aside.label, setAsideAt: new Date(aside.setAsideAtMs).toISOString() } }),
  };
  return {
    outcome: "planned",
    message: point ? `${ctx.app.title}: would restore ${point.id}` : `${ctx.app.title}: there is no backup`,
    plan,
  };
}

function describePresent(
  { label, sizeBytes, changedAtMs }: PresentData,
  point: RestorePoint | undefined,
): Plan["present"] {
  return {
    label,
    ...(sizeBytes !== undefined && { sizeBytes }),
    ...(changedAtMs !== undefined && { changedAt: new Date(changedAtMs).toISOString() }),
    // Points are named by whole seconds.
    newerThanPoint: changedAtMs !== undefined && point !== undefined && changedAtMs > point.takenAtMs + 999,
  };
}

export function describePoint(run: AppRun, { id, takenAtMs, manifest }: RestorePoint): NonNullable<Result["point"]> {
  if (isMirrorRun(run) && manifest) return describeMirror(run, manifest);
  return { id, takenAt: new Date(takenAtMs).toISOString(), files: manifest?.files ?? [] };
}

/** Only some backups have parts that can be restored alone. */
function refuseUnknownPart({ ctx, type }: AppRun, only: string | undefined): void {
  if (only === undefined || (isMirror(type) && type.part !== undefined)) return;
  throw new Failure("invalid_request", `Cannot restore "${only}" alone: a backup of ${ctx.app.title} is one whole`);
}

/** The point's files, proven, and what is known of it. The caller calls `close`. */
export async function openVerified(
  run: AppRun,
  restore: RestoreApp<unknown>,
  point: RestorePoint,
  only: string | undefined,
): Promise<{ files: Map<string, ReadBack>; facts: PointFacts; close: () => Promise<void> }> {
  const { ctx } = run;
  if (isMirrorRun(run)) {
    const tree = mirrorTree(run, point);
    await verifyMirror(run, point, only);
    return { files: new Map(), facts: { ...factsOf(point), tree }, close: async () => {} };
  }
  let verified = false;
  // Loaded here: other runs need no threads. It begins while the files are opened.
  const worker = restore.trustsChecksums ? (await import("../file-worker.ts")).threadFor(sizeOf(point)) : undefined;
  let files: Map<string, ReadBack> | undefined;
  const close = async () => {
    await worker?.end();
    for (const file of files?.values() ?? []) await file.close();
  };
  try {
    files = await openPoint(run, point, (done, total) => {
      // Later reads of the same files have a progress of their own.
      if (!verified) ctx.progress("verifying", done, total);
    });
    const isProven = restore.trustsChecksums && point.manifest !== undefined;
    const prover = isProven ? "staging" : await (run as PointsRun).type.loadBackup();
    await verifyPoint(run, prover, point, files, worker);
    verified = true;
    return { files, facts: { ...factsOf(point), ...(worker && { worker }) }, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The files of a point, open. The caller closes them. */
export async function openPoint(
  { ctx }: AppRun,
  point: RestorePoint,
  onBytes: (done: number, total: number) => void,
): Promise<Map<string, ReadBack>> {
  const files = new Map<string, ReadBack>();
  const totalBytes = sizeOf(point);
  try {
    for (const { kind, path } of point.files) {
      files.set(
        kind,
        await openReadBack(path, {
          signal: ctx.signal,
          onBytes: (done) => onBytes(done, totalBytes),
        }),
      );
    }
    return files;
  } catch (error) {
    for (const file of files.values()) await file.close();
    throw error;
  }
}

/**
 * Checksums and content, before anything of the app is touched.
 * @param prover Who knows what the bytes mean; "staging" when that is what reads, hashes and checks them beside the data.
 */
async function verifyPoint(
  { ctx }: AppRun,
  prover: BackupApp<unknown, Source> | "staging",
  point: RestorePoint,
  files: ReadonlyMap<string, ReadBack>,
  worker: FileWorker | undefined,
): Promise<void> {
  const hint = `The app was not touched. Another restore point: make list-${ctx.app.name}, then make restore-${ctx.app.name} AT=…`;
  for (const wanted of point.manifest?.files ?? []) {
    const actual = files.get(wanted.kind);
    if (actual?.sizeBytes === wanted.sizeBytes) continue;
    throw new Failure(
      "backup_damaged",
      `Cannot restore ${point.id}: "${wanted.name}" of ${wanted.sizeBytes} bytes is wanted, ${actual ? `has ${actual.sizeBytes}` : "is not there"}`,
      { hint },
    );
  }
  if (prover !== "staging") {
    await prover.verify(files, { ...ctx, about: aboutOf(point) }).catch((cause) => {
      const failure = toFailure(cause);
      throw new Failure(failure.code, `Cannot restore ${point.id}: ${failure.message}`, {
        cause,
        hint: failure.hint ?? hint,
      });
    });
  }
  for (const wanted of point.manifest?.files ?? []) {
    // Staging computes sha256 of the very bytes that it unpacks: here it would be one of others, read before.
    const sum = prover === "staging" && wanted.crc32 !== undefined ? "crc32" : "sha256";
    const file = files.get(wanted.kind);
    const actual = await (sum === "crc32" ? file?.crc32(worker) : file?.sha256());
    if (actual === wanted[sum]) continue;
    throw new Failure(
      "backup_damaged",
      `Cannot restore ${point.id}: ${sum} ${wanted[sum]} of "${wanted.name}" is wanted, is ${actual}`,
      { hint },
    );
  }
  if (!point.manifest)
    ctx.warn(
      `${point.files[0]?.name} was made by another system: its content is sound, but no checksum of it is known`,
    );
}

/** Stage, stop, swap, start, commit; whatever fails, the app ends up with the data that it had, and running if it ran. */
async function replaceData(
  run: AppRun,
  restore: RestoreApp<unknown>,
  target: RestoreTarget,
  stage: () => Promise<void>,
): Promise<void> {
  const { ctx, workload } = run;
  try {
    ctx.progress("preparing beside the present data");
    await stage();
    ctx.signal.throwIfAborted();
    if (restore.needsStop) {
      await restore
        .beforeStop?.(ctx)
        .catch((error) => ctx.warn(`The players could not be told: ${(error as Error).message}`));
      ctx.signal.throwIfAborted();
      ctx.progress("stopping the app");
      await workload.stop(ctx.run.id, ctx.signal);
    }
    ctx.progress("putting the data in place");
    await target.swap();
    // Started before the commit: data with which the app does not come up is not kept.
    if (restore.needsStop) {
      ctx.progress("starting the app");
      await workload.start();
    }
    await target.commit();
    if (restore.needsStop) await workload.release();
  } catch (cause) {
    ctx.progress("putting everything back");
    await putBack(run, restore, target, cause);
    throw cause;
  }
  ctx.progress("done");
}

/** What earlier restores replaced is kept for days if there is room; a restore that lacks it takes theirs, but the newest. */
async function stageWithRoom({ ctx }: AppRun, target: RestoreTarget, stage: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await stage();
    } catch (error) {
      const asides = toFailure(error).code === "no_space" ? await target.asides() : [];
      const oldest = asides.at(-1);
      // The last one stays: a restore that can never fit must not cost what an undo would put back.
      if (!oldest || asides.length === 1) throw error;
      await target.rollBack();
      ctx.warn(`There was no room: what ${oldest.id} had replaced (${oldest.label}) was removed early`);
      await target.removeAside(oldest);
    }
  }
}

async function putBack(
  { ctx, workload }: AppRun,
  restore: RestoreApp<unknown>,
  target: RestoreTarget,
  cause: unknown,
): Promise<void> {
  try {
    // It may have come up, or half come up, over the data that is to be taken away again.
    if (restore.needsStop && (await workload.stoppedBy()) !== undefined) await workload.stop(ctx.run.id);
    await target.rollBack();
    await workload.start();
    await workload.release();
  } catch (error) {
    throw new Failure(
      "restore_failed",
      `${toFailure(cause).message}. Putting everything back failed too: ${toFailure(error).message}`,
      {
        cause,
        hint: `Nothing is lost: the data that was there is kept beside it. The next run of "${ctx.app.name}" puts it back, then starts the app.`,
      },
    );
  }
}
