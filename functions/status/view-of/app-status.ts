import type { Progress } from "../../../shared/run/report.ts";
import { count, formatAge } from "../../../shared/words.ts";
import { formatWhen } from "../page/words.ts";
import type { AppState, AppStatus, CheckStatus, PointStatus, RunStatus } from "../view.ts";
import type { KnownRun } from "../watch/ledger.ts";
import type { Knowledge, Situation } from "../watch/situation.ts";
import { nextDrillMs, nextScrubMs } from "../watch/starts.ts";
import { daysOf } from "./days.ts";

const hourMs = 3_600_000;
/** Points of the chart. */
const sizesMost = 120;

const iso = (ms: number) => new Date(ms).toISOString();

/** @param progress Of the run in progress. */
export function appStatus(situation: Situation, knowledge: Knowledge, progress: Progress | undefined): AppStatus {
  const { app, view, schedule, backups, lastGood, failedInARow, isPaused, isFresh } = situation;
  const { known, nowMs, ledger, timeZone } = knowledge;
  const held = known.held[`late:${app.name}`];
  const lateSince = held?.since ?? (situation.late && iso(situation.late.sinceMs));
  const silent = known.silent[app.backupFunction];
  const last = backups.at(-1);
  const running = isFresh ? view?.running : undefined;
  const nextMs = schedule?.schedule.next(nowMs);
  const state = stateOf(situation, silent !== undefined, lateSince !== undefined, known.nas.reachable === false);
  const points = (view?.points ?? []).map((point) => pointStatus(app.name, point));
  return {
    app: app.name,
    type: app.type,
    title: app.title,
    state,
    sentence: sentenceOf(state, situation, knowledge, lateSince),
    ...(silent && { unknownSince: iso(silent.sinceMs) }),
    ...(lateSince !== undefined && { lateSince }),
    ...(view?.waiting !== undefined && { waiting: view.waiting }),
    ...(isPaused && view?.pausedUntil !== undefined && { pausedUntil: view.pausedUntil }),
    ...(lastGood && { lastGood }),
    ...(last && { lastRun: runStatus(last) }),
    failedInARow,
    ...(nextMs !== undefined && Number.isFinite(nextMs) && { nextRunAt: iso(nextMs) }),
    ...(schedule && { schedule: schedule.words, intervalMs: schedule.longestGapMs(nowMs) }),
    ...(running && { running: { ...running, ...(progress && progressOf(progress)) } }),
    days: daysOf({
      backups,
      lates: ledger.lates(app.name, nowMs),
      pauses: known.pauses[app.name] ?? [],
      madeAtMs: backups.length === 0 ? points.map(({ takenAt }) => Date.parse(takenAt)) : [],
      schedule,
      timeZone,
      nowMs,
    }),
    sizes: sizesOf(backups, points),
    points,
    keep: app.keep,
    drill: checkOf(view?.lastDrill ?? ledger.last(app.name, "drill"), nextDrillMs(situation, knowledge), nowMs),
    scrub: checkOf(view?.lastScrub ?? ledger.last(app.name, "scrub"), nextScrubMs(situation, knowledge), nowMs),
  };
}

function stateOf(situation: Situation, isSilent: boolean, isLate: boolean, isNasAway: boolean): AppState {
  const { view, isPaused, isFresh, failedInARow, lastGood } = situation;
  if (view === undefined || isSilent) return "unknown";
  if (isPaused) return "paused";
  if (isFresh && view.running) return "running";
  if (view.waiting !== undefined) return "waiting";
  if (failedInARow > 0) return "failed";
  if (isLate) return "late";
  if (!lastGood) return "never";
  return isNasAway ? "away" : "ok";
}

function sentenceOf(
  state: AppState,
  { view, backups, lastGood, late, app }: Situation,
  { known, nowMs, timeZone }: Knowledge,
  lateSince: string | undefined,
): string {
  const when = (at: string) => formatWhen(at, { nowMs, timeZone });
  const age = formatAge(nowMs - Date.parse(lastGood?.at ?? ""));
  switch (state) {
    case "unknown": {
      const why =
        known.silent[app.backupFunction]?.why ?? (known.nas.reachable === false ? "the NAS is away" : undefined);
      if (view) return `Its function does not answer; this is what was known then. ${why ?? ""}`.trim();
      return why === undefined ? "Nothing is known of it yet." : `Nothing is known of it: ${why}.`;
    }
    case "paused":
      return `Nothing runs by itself until ${when(view?.pausedUntil ?? "")}.`;
    case "running":
      return `The ${view?.running?.operation} that ${view?.running?.startedBy} started is at work.`;
    case "waiting":
      return `Backups wait for you: ${view?.waiting}`;
    case "failed":
      return backups.findLast(({ code }) => code !== undefined)?.message ?? "The last backup failed.";
    case "late": {
      const more = (late?.missed ?? 1) > 1 ? `, nor have the ${(late?.missed ?? 1) - 1} after it` : "";
      return `The backup that was due at ${when(lateSince ?? "")} has not run${more}.`;
    }
    case "never":
      return "There is no backup yet.";
    case "away":
      return `Nothing can be backed up or restored while the NAS is away; its last backup is ${age} old.`;
    case "ok":
      return `Backed up ${age} ago${lastGood?.outcome === "unchanged" ? "; nothing had changed" : ""}.`;
  }
}

type Checked = Pick<KnownRun, "finishedAt" | "outcome" | "message" | "durationMs" | "drill" | "scrub">;

function checkOf(last: Checked | undefined, nextMs: number | undefined, nowMs: number): CheckStatus {
  // What is overdue is next.
  const next = nextMs === undefined ? {} : { nextAt: iso(Math.max(nextMs, nowMs)) };
  if (!last) return next;
  const { finishedAt, outcome, message, durationMs, drill, scrub } = last;
  const isGood = outcome === "proven" || outcome === "scrubbed";
  const isBad = outcome === "failed" || outcome === "refused";
  return {
    last: {
      at: finishedAt,
      result: isGood ? "proven" : isBad ? "failed" : "inconclusive",
      message,
      tookMs: durationMs,
      ...(drill?.pointId !== undefined && { pointId: drill.pointId }),
      ...(scrub && { doneBytes: scrub.bytes, totalBytes: scrub.totalBytes }),
    },
    ...next,
  };
}

function pointStatus(app: string, point: NonNullable<Situation["view"]>["points"][number]): PointStatus {
  const { id, takenAt, sizeBytes, pinned, latest, verified, scrubbedAt, damaged, proven } = point;
  return {
    ...{ id, takenAt, sizeBytes, pinned, latest, verified },
    ...(scrubbedAt !== undefined && { scrubbedAt }),
    ...(damaged && { damaged: damaged.why }),
    ...(proven && { proven: { ...proven, recoverySeconds: proven.tookMs / 1000 } }),
    restore: `make restore-${app} AT=${id}`,
  };
}

export function runStatus(run: KnownRun): RunStatus {
  const { code: _, drill: __, scrub: ___, finishedMs: ____, ...status } = run;
  return status;
}

/** What runs made, and the points that are older than what is known of runs. */
function sizesOf(backups: readonly KnownRun[], points: readonly PointStatus[]): AppStatus["sizes"] {
  const made = backups.flatMap(({ outcome, finishedAt, sizeBytes }) =>
    outcome === "created" && sizeBytes !== undefined ? [{ at: finishedAt, sizeBytes }] : [],
  );
  const firstAt = made[0]?.at;
  const older = points
    .filter(({ takenAt }) => firstAt === undefined || Date.parse(takenAt) < Date.parse(firstAt) - hourMs)
    .map(({ takenAt, sizeBytes }) => ({ at: takenAt, sizeBytes }))
    .toReversed();
  return [...older, ...made].slice(-sizesMost);
}

const progressOf = ({ phase, doneBytes, totalBytes }: Progress) => ({
  phase,
  ...(doneBytes !== undefined && { doneBytes }),
  ...(totalBytes !== undefined && { totalBytes }),
});

/** For whoever asks for lines. */
export const appLine = ({ title, sentence, points, lateSince, nextRunAt }: AppStatus): string =>
  [
    `${title}: ${sentence}`,
    count(points.length, "restore point"),
    ...(lateSince === undefined ? [] : [`late since ${lateSince}`]),
    ...(nextRunAt === undefined ? [] : [`next ${nextRunAt}`]),
  ].join("  ");
