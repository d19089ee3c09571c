import type { Schedule } from "../../../shared/stack/schedule.ts";

/** A backup run, as far as it says whether a backup that was due has run. */
export interface Attempt {
  /** In ms since the epoch; absent while it runs. */
  readonly endedMs?: number;
}

export interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface LateInput {
  readonly schedule: Schedule;
  readonly nowMs: number;
  /** How long after its time a run may begin. */
  readonly graceMs: number;
  readonly attempts: readonly Attempt[];
  /** Before this moment nobody watched, so nothing that was due before it was missed. */
  readonly fromMs: number;
  /** What was due then did not have to run: pauses. */
  readonly excused: readonly Span[];
}

/** More missed runs than this are not counted. */
const countedMost = 1000;
/** A run that ended further ahead than this is one of a clock that was wrong: it says nothing. */
const aheadMs = 10 * 60_000;

/**
 * Whether a backup that was due has not run. A run covers all that was due until its end: what fires while it is at
 * work joins it.
 * @returns Since when the first of those that were missed was due, and how many were; undefined: none was.
 */
export function lateness(input: LateInput): { sinceMs: number; missed: number } | undefined {
  const { schedule, nowMs, graceMs, fromMs, excused } = input;
  const ends = input.attempts.map(({ endedMs = nowMs }) => endedMs).filter((ms) => ms <= nowMs + aheadMs);
  const coveredMs = Math.max(fromMs, ...ends);
  let first: number | undefined;
  let missed = 0;
  for (let due = schedule.next(coveredMs); due + graceMs <= nowMs && missed < countedMost; due = schedule.next(due)) {
    if (excused.some((span) => span.fromMs <= due && due <= span.untilMs)) continue;
    first ??= due;
    missed += 1;
  }
  return first === undefined ? undefined : { sinceMs: first, missed };
}
