import { join } from "node:path";
import type { Publisher } from "../../events/publisher.ts";
import type { AppConfig, Config } from "../config.ts";
import { Disk } from "../disk.ts";
import { Failure, type FailureCode, failures, toFailure } from "../failures.ts";
import { callAtOnceBelow } from "../files.ts";
import type { Logger } from "../log.ts";
import { withDeadline } from "../nas/deadline.ts";
import { type AppFolders, openNas } from "../nas/nas.ts";
import { namesIn } from "../nas/points.ts";
import { createStep, type StepGuards } from "../step.ts";
import { formatLocal } from "../words.ts";
import { runAccept } from "./accept.ts";
import { runAdopt } from "./adopt.ts";
import { type AppRun, type Ended, isMirrorRun, type PointsRun } from "./app-run.ts";
import { runBackup } from "./backup.ts";
import { type Lane, laneOf, type RunDescription } from "./description.ts";
import { removeLeftDrill, runDrill } from "./drill.ts";
import { writeLast } from "./last.ts";
import type { Lock } from "./lock.ts";
import { mend, mendChecks } from "./mend.ts";
import { runCleanup, runMirror } from "./mirror.ts";
import { localOutbox } from "./outbox.ts";
import { outcomeOf } from "./outcome.ts";
import { pausedUntil, runPause, runResume, waitsInPause } from "./pause.ts";
import { runPin } from "./pin.ts";
import { localPlace, type Place } from "./place.ts";
import { refuseUnprepared } from "./prepare.ts";
import type { Outcome, RunLine } from "./report.ts";
import { runPlan, runRestore, runUndo } from "./restore.ts";
import { contextOf, pointsOfApp } from "./run-context.ts";
import { runScrub } from "./scrub.ts";
import { recordLost, settle } from "./settle.ts";
import { type AppState, readState } from "./state.ts";

export interface RunnerOptions {
  config: Config;
  publisher: Publisher;
  /** Whether other functions hear what is published, and go on from there. */
  wakesOthers?: boolean;
  /** Hears every line that the run tells; the last one is its outcome. */
  tell: (line: RunLine) => void;
  /** Aborting it, with a Failure as reason, ends the run with an outcome. */
  signal: AbortSignal;
  log: Logger;
  /** Where it is carried out; this machine when absent. */
  place?: Place;
  now?: () => number;
  onStep?: StepGuards["onStep"];
}

/**
 * Carries out one run from the lock to its outcome. Never rejects for what can go wrong in a run: that is an outcome.
 * The way of an outcome: record on the NAS, then the state, then telling, then marking as told.
 */
export async function carryOut(run: RunDescription, options: RunnerOptions): Promise<Outcome> {
  const { config, tell, log, publisher, signal, onStep } = options;
  const now = options.now ?? Date.now;
  const place = options.place ?? localPlace(config);
  const app = config.apps.find(({ name }) => name === run.app);
  const guards: { fence?: () => Promise<void> } = {};
  const step = createStep({ fence: async () => guards.fence?.(), ...(onStep && { onStep }) });
  const nas = openNas(config.nas);
  const disk = new Disk(step, {
    fileMode: config.nasFileMode,
    dirMode: config.nasDirMode,
    mount: nas,
    ...(config.nasOwner && { owner: config.nasOwner }),
  });
  // This machine's own files need no lock, and must be writable when the NAS, and the lock on it, are away.
  const ownDisk = new Disk(createStep(onStep && { onStep }), { fileMode: 0o600, dirMode: 0o700 });
  const local = localOutbox(config.state, run.app);
  const lane = laneOf(run.request.operation);
  const scratch = async () => {
    const folder = join(scratchOf(config, run.app, lane), run.id);
    await ownDisk.makeDir(folder);
    return folder;
  };
  const warnings: string[] = [];
  const mended: string[] = [];
  const warn = (message: string) => {
    if (warnings.includes(message)) return;
    warnings.push(message);
    tell({ type: "warning", at: new Date(now()).toISOString(), message });
  };
  const finish = (result: Ended): Outcome => outcomeOf(run, app, result, { now, warnings, mended });

  let lock: Lock | undefined;
  let folders: AppFolders | undefined;
  let state: AppState | undefined;
  let outcome: Outcome;
  let nextState: AppState | undefined;
  try {
    if (!app) throw new Failure("not_found", `Cannot run: there is no app "${run.app}" in "${config.path}"`);
    await withDeadline("the marker", config.nasTimeoutMs, async () => {
      await nas.check();
      await callAtOnceBelow(nas.root);
    });
    for (const folder of [config.state, "/proc", app.type.place?.(app.settings)]) {
      if (folder !== undefined) await callAtOnceBelow(folder);
    }
    folders = nas.app(run.app);
    const paused = waitsInPause(run) ? await pausedUntil(folders, now()) : undefined;
    if (paused !== undefined) {
      // No lock, and nothing is put in order: whoever paused it may be at work on the app.
      const outcome = finish({
        outcome: "postponed",
        message: `${app.type.title}: postponed: paused until ${formatLocal(Date.parse(paused), config.timeZone)}`,
      });
      await settle(outcome, undefined, { folders, local, disk, ownDisk, log, publisher });
      await place.close(run.id);
      tell(outcome);
      return outcome;
    }
    if (lane !== "none") {
      lock = await place.takeLock(folders, lane, run, disk);
      guards.fence = lock.fence;
      // A killed run may have left its own.
      await removeScratch(scratchOf(config, run.app, lane), ownDisk);
    }
    state = await readState(folders);
    const ctx = contextOf(run, app, {
      canStop: place.canStop(app),
      disk,
      step,
      log,
      signal,
      now,
      tell,
      warn,
      scratch,
      ...(place.companion !== undefined && { companion: place.companion }),
      pointsOf: (name) => pointsOfApp(config, nas, name),
    });
    const workload = place.workload(app, { ownDisk, step, warn });
    if (lock) {
      const { fence } = lock;
      guards.fence = async () => {
        await fence();
        workload.fence?.();
      };
    }
    const appRun: AppRun = {
      ctx,
      place,
      type: app.type,
      config: app,
      folders,
      workload,
      state,
      wakesOthers: options.wakesOthers ?? false,
      ...(lock?.abandoned && { abandoned: lock.abandoned }),
    };
    if (lane === "none") {
      const result = await carryOutOperation(appRun, run, config);
      const outcome = finish(result);
      await place.close(run.id);
      tell(outcome);
      return outcome;
    }
    try {
      // The other lanes change nothing that could be left half done.
      if (lane === "main") mended.push(...(await mend(appRun)));
      else await mendChecks(lane, folders, disk);
    } finally {
      const lost = [...(await place.lost(app.name)), ...(lock?.abandoned ? [{ run: lock.abandoned }] : [])];
      for (const one of lost) {
        const killed = one.run;
        // A run of the main lane that was killed is told of by one that has put in order what it left.
        const isOurs = lane === "main" || laneOf(killed.request.operation) === lane;
        if (killed.id === run.id || !isOurs) continue;
        if (lane === "main" && killed.request.operation === "drill")
          await removeLeftDrill(appRun, drillsOf(app, config));
        if (laneOf(killed.request.operation) !== "none") await recordLost(appRun, one, now);
        await place.close(killed.id);
      }
    }
    if (place.companion !== undefined) await refuseUnprepared(place.companion);
    const result = await carryOutOperation(appRun, run, config);
    nextState = result.state ?? state;
    outcome = finish(result);
  } catch (error) {
    let failure = toFailure(error);
    if (folders && misleading.has(failure.code)) {
      // What is found on a NAS that went away says nothing: that it is away is the failure.
      const look = withDeadline("the marker", config.nasTimeoutMs, () => nas.check());
      failure = await look.then(() => failure, toFailure);
    }
    if (failure.code === "internal")
      log.error({ err: error, run: run.id }, "a run failed in a way that nobody foresaw");
    else log.warn({ run: run.id, code: failure.code, cause: failure.cause }, failure.message);
    outcome = finish({ outcome: failures[failure.code].outcome, message: failure.message, failure });
    nextState = failure.code === "source_replaced" && state ? { ...state, waiting: failure.message } : state;
  }
  if (lock) {
    // Whatever has become of the app, its run goes on record.
    guards.fence = lock.fence;
    const scratchLeft = scratchOf(config, run.app, lane);
    await removeScratch(scratchLeft, ownDisk).catch((error) => log.warn({ err: error }, "scratch is left"));
  }
  // What the next backup goes by is for the holder of the main lock to write.
  if (lane !== "main") nextState = undefined;
  if (lane !== "none" && outcome.failure?.code !== "app_busy" && outcome.failure?.code !== "lock_lost") {
    await settle(outcome, nextState, { folders: lock ? folders : undefined, local, disk, ownDisk, log, publisher });
    if (lock && folders && (lane === "scrub" || lane === "drill")) {
      await writeLast(folders, lane, outcome, disk).catch((error) => log.warn({ err: error }, "the page is not told"));
    }
  }
  await place
    .close(run.id)
    .catch((error) => log.warn({ err: error }, "the run could not be closed; the next one looks at it again"));
  await lock
    ?.release()
    .catch((error) => log.warn({ err: error }, "the lock could not be released; it is free once this process is gone"));
  tell(outcome);
  return outcome;
}

const misleading: ReadonlySet<FailureCode> = new Set(["internal", "not_found", "backup_damaged", "nas_write_failed"]);

/** Where drills restore to. */
const drillsOf = ({ common }: AppConfig, { state }: Config) => common.drillFolder ?? join(state, "drills");

/** Each lane has its own; a dot is in no app's name. */
const scratchOf = (config: Config, app: string, lane: Lane) =>
  join(config.state, "scratch", lane === "main" || lane === "none" ? app : `${app}.${lane}`);

/** Only with the lane's lock: what is there is this run's, or that of one that is dead. */
async function removeScratch(folder: string, ownDisk: Disk): Promise<void> {
  if ((await namesIn(folder)).length > 0) await ownDisk.removeTree(folder);
}

function carryOutOperation(appRun: AppRun, { request }: RunDescription, config: Config): Promise<Ended> {
  switch (request.operation) {
    case "backup":
      return isMirrorRun(appRun) ? runMirror(appRun) : runBackup(appRun as PointsRun);
    case "restore":
      return runRestore(appRun, request);
    case "plan":
      return runPlan(appRun, request);
    case "undo":
      return runUndo(appRun);
    case "pin":
    case "unpin":
      return runPin(appRun, request);
    case "accept":
      return runAccept(appRun);
    case "adopt":
      return runAdopt(appRun);
    case "cleanup":
      return runCleanup(appRun);
    case "pause":
      return runPause(appRun, request, config.timeZone);
    case "resume":
      return runResume(appRun, config.timeZone);
    case "scrub":
      return runScrub(appRun, request);
    case "drill":
      return runDrill(appRun, request, drillsOf(appRun.config, config));
    case "flush":
      // Every run mends and flushes; this one does nothing else.
      return Promise.resolve({
        outcome: "flushed",
        message: `${appRun.ctx.app.title}: nothing is left undone`,
        state: appRun.state,
      });
  }
}
