import { partsIn } from "../../../shared/words.ts";
import type { DayStatus } from "../view.ts";
import type { Span } from "../watch/late.ts";
import type { KnownRun } from "../watch/ledger.ts";
import type { KnownSchedule } from "../watch/schedule-known.ts";

const dayMs = 86_400_000;
const shownDays = 30;
/** More runs of a schedule than this within one lateness are not looked at. */
const duesMost = 500;

export interface DaysInput {
  readonly backups: readonly KnownRun[];
  readonly lates: readonly Span[];
  readonly pauses: readonly Span[];
  /** When restore points were made of which no event tells. */
  readonly madeAtMs: readonly number[];
  readonly schedule?: KnownSchedule | undefined;
  readonly timeZone: string;
  readonly nowMs: number;
}

/** What is worst of a day stands for it. */
const rank: Record<DayStatus["state"], number> = { failed: 5, late: 4, ok: 3, unchanged: 2, paused: 1, none: 0 };

/** The last 30 days, oldest first, today last. */
export function daysOf({ backups, lates, pauses, madeAtMs, schedule, timeZone, nowMs }: DaysInput): DayStatus[] {
  const dayOf = (ms: number) => partsIn(ms, timeZone).date;
  const days = new Map<string, { state: DayStatus["state"]; runs: number }>();
  // By noon, so that an hour more or less is the same day.
  const noonMs = Date.parse(`${dayOf(nowMs)}T12:00:00Z`);
  for (let ago = shownDays - 1; ago >= 0; ago--)
    days.set(new Date(noonMs - ago * dayMs).toISOString().slice(0, 10), { state: "none", runs: 0 });
  const fromMs = nowMs - (shownDays + 1) * dayMs;
  const mark = (ms: number, state: DayStatus["state"], runs = 0) => {
    const day = ms < fromMs ? undefined : days.get(dayOf(ms));
    if (!day) return;
    if (rank[state] > rank[day.state]) day.state = state;
    day.runs += runs;
  };
  for (const { finishedMs, outcome } of backups) mark(finishedMs, stateOf(outcome), 1);
  for (const ms of madeAtMs) mark(ms, "ok");
  for (const { fromMs: since, untilMs } of lates) {
    mark(since, "late");
    let due = schedule?.schedule.next(Math.max(since, fromMs)) ?? Number.POSITIVE_INFINITY;
    for (let count = 0; due < Math.min(untilMs, nowMs) && count < duesMost; count++) {
      mark(due, "late");
      due = schedule?.schedule.next(due) ?? Number.POSITIVE_INFINITY;
    }
  }
  for (const { fromMs: since, untilMs } of pauses)
    for (let ms = Math.max(since, fromMs); ms < Math.min(untilMs, nowMs); ms += dayMs / 2) mark(ms, "paused");
  return [...days].map(([date, day]) => ({ date, ...day }));
}

function stateOf(outcome: KnownRun["outcome"]): DayStatus["state"] {
  if (outcome === "created") return "ok";
  if (outcome === "unchanged" || outcome === "postponed") return "unchanged";
  if (outcome === "cancelled") return "none";
  return "failed";
}
