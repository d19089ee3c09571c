import type { AppView } from "../../../shared/run/report.ts";
import type { StatusSettings } from "../settings.ts";
import { type LateInput, lateness } from "./late.ts";
import type { KnownRun, Ledger } from "./ledger.ts";
import type { Remembered } from "./memory.ts";
import { type KnownSchedule, knownSchedule } from "./schedule-known.ts";
import type { WatchedApp } from "./watched-app.ts";

export interface Knowledge {
  readonly known: Remembered;
  readonly ledger: Ledger;
  readonly settings: StatusSettings;
  readonly timeZone: string;
  readonly nowMs: number;
}

/** What is known of one app at a moment, as everything that decides about it asks for it. */
export interface Situation {
  readonly app: WatchedApp;
  /** What its function said last. */
  readonly view?: AppView;
  /** It said so in the last look, having read the NAS; else everything here is what was known then. */
  readonly isFresh: boolean;
  readonly isPaused: boolean;
  readonly schedule?: KnownSchedule;
  /** Why its schedule cannot be read. */
  readonly badSchedule?: string;
  /** Backups that were due and have not run. */
  readonly late?: { readonly sinceMs: number; readonly missed: number };
  /** The same without the grace, of what was due while the NAS or the function was away. */
  readonly owed?: { readonly sinceMs: number; readonly missed: number };
  /** Oldest first. */
  readonly backups: readonly KnownRun[];
  readonly lastGood?: { readonly at: string; readonly outcome: string };
  readonly failedInARow: number;
}

/** The NAS was back, or the function, so short a time ago that it is still made up for what was missed. */
const makesUpMs = 24 * 3_600_000;

export function situationOf(app: WatchedApp, { known, ledger, settings, nowMs }: Knowledge): Situation {
  const { view } = known.views[app.name] ?? {};
  const isFresh = view !== undefined && !known.silent[app.backupFunction] && known.nas.reachable === true;
  const isPaused = view?.pausedUntil !== undefined && Date.parse(view.pausedUntil) > nowMs;
  const backups = ledger.of(app.name).filter(({ operation }) => operation === "backup");
  const lastGood = lastGoodOf(view, backups);
  const entry = known.schedules[app.backupFunction];
  const base = { app, isFresh, isPaused, backups, failedInARow: failedInARow(backups, lastGood) };
  const rest = { ...base, ...(view && { view }), ...(lastGood && { lastGood }) };
  if (!entry) return rest;
  let schedule: KnownSchedule;
  try {
    schedule = knownSchedule(entry.line);
  } catch (error) {
    return { ...rest, badSchedule: (error as Error).message };
  }
  const attempts = attemptsOf(view, isFresh, backups);
  const input: LateInput = {
    schedule: schedule.schedule,
    nowMs,
    graceMs: settings.graceMinutes * 60_000,
    attempts,
    fromMs: Math.max(attempts.length === 0 ? known.watchedSinceMs : 0, entry.sinceMs ?? 0),
    excused: known.pauses[app.name] ?? [],
  };
  const late = lateness(input);
  const { backMs } = known.nas;
  const isMadeUp = backMs !== undefined && backMs <= nowMs && nowMs - backMs < makesUpMs;
  const owed = isMadeUp ? lateness({ ...input, nowMs: backMs, graceMs: 0 }) : undefined;
  return { ...rest, schedule, ...(late && { late }), ...(owed && { owed }) };
}

/** These say nothing of whether the backup that was due has run: it did not get to the data. */
const neverBegan: ReadonlySet<string | undefined> = new Set(["nas_unreachable", "nas_not_marked", "interrupted"]);

function attemptsOf(view: AppView | undefined, isFresh: boolean, backups: readonly KnownRun[]) {
  const ended = backups.filter(({ code }) => !neverBegan.has(code)).map(({ finishedMs }) => ({ endedMs: finishedMs }));
  // Of a time when no event came.
  const good = view?.lastGood && isBackup(view.lastGood) ? [{ endedMs: Date.parse(view.lastGood.at) }] : [];
  const running = isFresh && view?.running?.operation === "backup" ? [{}] : [];
  return [...ended, ...good, ...running];
}

const isBackup = ({ outcome }: { outcome: string }) => outcome === "created" || outcome === "unchanged";

/** The state on the NAS counts a restore as good as well: then the data is what a backup has. */
function lastGoodOf(view: AppView | undefined, backups: readonly KnownRun[]): Situation["lastGood"] {
  const told = backups.findLast(isBackup);
  const here = view?.lastGood;
  if (told && (!here || here.at < told.finishedAt)) return { at: told.finishedAt, outcome: told.outcome };
  return here;
}

/** What was put off, or cancelled by a person, says nothing about the backups; a NAS that is away is told by itself. */
function failedInARow(backups: readonly KnownRun[], lastGood: Situation["lastGood"]): number {
  let count = 0;
  for (const { outcome, finishedAt, code } of backups.toReversed()) {
    if (isBackup({ outcome }) || (lastGood && finishedAt <= lastGood.at)) break;
    if (code === "nas_unreachable" || code === "nas_not_marked") continue;
    if (outcome === "failed" || outcome === "refused" || outcome === "interrupted") count += 1;
  }
  return count;
}
