import type { Publisher } from "../../events/publisher.ts";
import type { Disk } from "../disk.ts";
import { Failure } from "../failures.ts";
import type { Logger } from "../log.ts";
import type { AppFolders } from "../nas/nas.ts";
import type { AppRun } from "./app-run.ts";
import {
  flushOutbox,
  hasOutcome,
  type OutboxFolders,
  recordOutcome,
  takeOverOutbox,
  tellUnrecorded,
} from "./outbox.ts";
import { outcomeOf } from "./outcome.ts";
import type { LostRun } from "./place.ts";
import type { Outcome } from "./report.ts";
import { type AppState, writeState } from "./state.ts";

export interface Settling {
  /** Absent when the NAS could not be used. */
  folders: AppFolders | undefined;
  local: OutboxFolders;
  disk: Disk;
  /** For this machine's own files. */
  ownDisk: Disk;
  log: Logger;
  publisher: Publisher;
}

/** Records the outcome, then the state, then tells. Nothing that fails here changes how the run ended. */
export async function settle(
  outcome: Outcome,
  state: AppState | undefined,
  { folders, local, disk, ownDisk, log, publisher }: Settling,
): Promise<void> {
  try {
    if (!folders) throw new Failure("nas_unreachable", "The NAS cannot be used");
    await takeOverOutbox(local, folders, disk);
    await recordOutcome(folders, outcome, disk);
    // A state that could not be read is not written over.
    if (state) await writeState(folders, { ...state, last: outcome, ...lastGoodOf(outcome) }, disk);
    await flushOutbox(folders, publisher, disk, log);
  } catch (error) {
    log.warn(
      { err: error, run: outcome.runId },
      "the outcome could not be recorded on the NAS; it waits on this machine",
    );
    try {
      await recordOutcome(local, outcome, ownDisk);
      await flushOutbox(local, publisher, ownDisk, log);
    } catch (cause) {
      log.error(
        { err: cause, run: outcome.runId },
        "the outcome could not be recorded anywhere but in the run's own output",
      );
      await tellUnrecorded(outcome, publisher).catch((error) =>
        log.error({ err: error, run: outcome.runId }, "nor could it be told"),
      );
    }
  }
}

/** A restore beside production saves nobody's data, and a backup that was put off saves none either. */
function lastGoodOf({ failure, operation, restoredTo, finishedAt, outcome }: Outcome): Pick<AppState, "lastGood"> {
  const saved = operation === "backup" && outcome !== "postponed";
  const good = !failure && (saved || (operation === "restore" && restoredTo === undefined));
  return good ? { lastGood: { at: finishedAt, outcome } } : {};
}

/** A run that was killed told nothing, and one without the NAS has no record; the next one tells it for it, once. */
export async function recordLost(
  appRun: AppRun,
  { run: killed, outcome, why }: LostRun,
  now: () => number,
): Promise<void> {
  const { ctx, type, config, folders } = appRun;
  if (await hasOutcome(folders, killed.id)) return;
  if (outcome) {
    await recordOutcome(folders, outcome, ctx.disk);
    return;
  }
  const { operation } = killed.request;
  const asides = await type
    .loadRestore()
    .then((restore) => restore.target(ctx).asides())
    .catch(() => []);
  const inPlace = asides.some(({ id }) => id === killed.id);
  const data = operation === "restore" || operation === "undo" ? `; its data is ${inPlace ? "" : "not "}in place` : "";
  const message = `${type.title}: the ${operation} that ${killed.startedBy} started was killed before its end${why === undefined ? "" : `: ${why}`}${data}`;
  const hint = inPlace
    ? "Nothing is left to do."
    : "What it had left was put in order. Start it again if you still want it.";
  const failure = new Failure("interrupted", message, { hint });
  const interrupted = outcomeOf(
    killed,
    config,
    { outcome: "interrupted", message, failure },
    { now, warnings: [], mended: [] },
  );
  await recordOutcome(folders, interrupted, ctx.disk);
}
