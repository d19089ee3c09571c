import { count, formatAge } from "../../../shared/words.ts";
import { formatWhen, listed } from "../page/words.ts";
import type { Found } from "./held.ts";
import type { Knowledge, Situation } from "./situation.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** What a run that was started for it has to put right by then. */
const leftMs = 30 * minuteMs;
/** Named one by one; of more, their number. */
const namedPoints = 5;

type Finder = (situation: Situation, knowledge: Knowledge) => Omit<Found, "app"> | undefined;

/** What is wrong with one app. */
export const appConditions = (situation: Situation, knowledge: Knowledge): Found[] =>
  finders.flatMap((find) => {
    const found = find(situation, knowledge);
    return found ? [{ ...found, app: situation.app.name }] : [];
  });

const isWaiting = ({ view }: Situation) => view?.waiting !== undefined;
const since = (ms: number, { nowMs, timeZone }: Knowledge) =>
  formatWhen(new Date(ms).toISOString(), { nowMs, timeZone });

/** One that was late stays so until a backup has come to a good end: an attempt that failed has saved nothing. */
const late: Finder = (situation, knowledge) => {
  const { app, late, lastGood, isPaused } = situation;
  const { known, nowMs, settings } = knowledge;
  const id = `late:${app.name}`;
  const held = known.held[id];
  const heldMs = held && Date.parse(held.since);
  const isStill = heldMs !== undefined && (!lastGood || Date.parse(lastGood.at) < heldMs);
  if (isPaused || isWaiting(situation)) return undefined;
  // What was missed while the NAS was away was told with that; it is made up for now, and late when that takes too long.
  const { backMs } = known.nas;
  const isBackSince = backMs !== undefined && backMs <= nowMs && nowMs - backMs < settings.graceMinutes * minuteMs;
  if (!isStill && (!late || isBackSince)) return undefined;
  const sinceMs = isStill ? heldMs : (late?.sinceMs ?? nowMs);
  const missed = Math.max(late?.missed ?? 1, 1);
  const more = missed > 1 ? `, nor have the ${missed - 1} after it` : "";
  const good = lastGood
    ? `the last good one is ${formatAge(nowMs - Date.parse(lastGood.at))} old`
    : "there is none yet";
  return {
    id,
    severity: "problem",
    message: `${app.title}: the backup that was due at ${since(sinceMs, knowledge)} has not run${more}; ${good}.`,
    hint: `make backup-${app.name}`,
    over: `${app.title} is backed up again`,
    isLate: true,
    sinceMs,
  };
};

const failing: Finder = ({ app, failedInARow, backups, view }, { settings }) => {
  if (failedInARow < settings.failedInARow || view?.waiting !== undefined) return undefined;
  const last = backups.at(-1);
  return {
    id: `failing:${app.name}`,
    severity: "problem",
    message: `${app.title}: the last ${failedInARow} backups failed. ${last?.message ?? ""}`.trim(),
    hint: `make backup-${app.name}`,
    over: `Backups of ${app.title} succeed again`,
  };
};

/** Neither late nor failing, and yet nothing is saved: put off again and again. */
const old: Finder = (situation, { known, nowMs, settings }) => {
  const { app, schedule, lastGood, late, failedInARow, isPaused } = situation;
  if (!schedule || !lastGood || late || isPaused || isWaiting(situation)) return undefined;
  if (failedInARow >= settings.failedInARow) return undefined;
  const ageMs = nowMs - Date.parse(lastGood.at);
  const pausedMs = known.pauses[app.name]?.at(-1)?.untilMs ?? 0;
  if (Math.min(ageMs, nowMs - pausedMs) < 3 * schedule.longestGapMs(nowMs) + dayMs) return undefined;
  return {
    id: `old:${app.name}`,
    severity: "problem",
    message: `${app.title}: the last good backup is ${formatAge(ageMs)} old, though backups run.`,
    hint: "make status",
    over: `${app.title} has a new backup`,
  };
};

const waiting: Finder = ({ app, view }) =>
  view?.waiting === undefined
    ? undefined
    : {
        id: `waiting:${app.name}`,
        severity: "problem",
        message: `${app.title}: backups wait for you. ${view.waiting}`,
        hint: `make accept-${app.name}, or make restore-${app.name}`,
        over: `${app.title} is backed up again`,
      };

const retention: Finder = ({ app, view }) => {
  const expired = view?.expired ?? 0;
  if (expired === 0) return undefined;
  return {
    id: `retention:${app.name}`,
    severity: "warning",
    message: `${app.title}: ${count(expired, "restore point")} more than are kept; retention has not removed them.`,
    hint: `make backup-${app.name}: retention runs after every good backup.`,
    over: `${app.title} has as many restore points as are kept`,
    settleMs: dayMs,
  };
};

const damaged: Finder = ({ app, view }) => {
  const points = view?.points ?? [];
  const bad = points.filter((point) => point.damaged);
  const [first] = bad;
  if (!first) {
    const scrub = view?.lastScrub;
    if (scrub?.failure?.code !== "backup_damaged") return undefined;
    return {
      id: `damaged:${app.name}`,
      severity: "problem",
      message: scrub.message,
      hint: scrub.failure.hint,
      over: `The backups of ${app.title} are what they were`,
    };
  }
  const good = points.filter(({ verified }) => verified).map(({ id }) => id);
  const named = good.length > namedPoints ? [...good.slice(0, namedPoints), `${good.length - namedPoints} more`] : good;
  const left = good.length === 0 ? "None is known to be good any more" : `Still good: ${listed(named)}`;
  return {
    id: `damaged:${app.name}`,
    severity: "problem",
    message: `${app.title}: ${count(bad.length, "restore point")} of ${points.length} ${bad.length === 1 ? "is" : "are"} damaged. ${left}.`,
    hint: `make backup-${app.name}`,
    details: bad.map(({ id, damaged }) => `${id}: ${damaged?.why}`),
    over: `No restore point of ${app.title} is known to be damaged`,
  };
};

const scrubOverdue: Finder = ({ app, view, isPaused }, { settings, known, nowMs }) => {
  const limitMs = 2 * app.scrubDays * dayMs;
  if (settings.scrubHours === 0 || isPaused || nowMs - known.watchedSinceMs < limitMs) return undefined;
  const unread = (view?.points ?? []).filter(
    ({ damaged, takenAt, scrubbedAt = takenAt }) => !damaged && nowMs - Date.parse(scrubbedAt) > limitMs,
  );
  if (unread.length === 0) return undefined;
  return {
    id: `scrub-overdue:${app.name}`,
    severity: "warning",
    message: `${app.title}: ${count(unread.length, "restore point")} of ${view?.points.length} not read back for ${formatAge(limitMs)}.`,
    hint: `make scrub-${app.name}`,
    over: `The backups of ${app.title} are read back again`,
  };
};

const drill: Finder = ({ app, view, isPaused }, { settings, known, nowMs }) => {
  const last = view?.lastDrill;
  const hint = `make drill-${app.name}`;
  if (last?.outcome === "failed" || last?.outcome === "interrupted") {
    return {
      id: `drill-failed:${app.name}`,
      severity: last.outcome === "failed" ? "problem" : "warning",
      message: `${app.title}: the last drill failed. ${last.message}`,
      hint: last.failure?.hint ?? hint,
      over: `A drill has proven ${app.title} restorable`,
    };
  }
  if (last?.outcome === "inconclusive") {
    return {
      id: `drill-open:${app.name}`,
      severity: "warning",
      message: `${app.title}: the last drill could not tell whether the backup can be restored. ${last.message}`,
      hint: last.drill?.hindrance?.hint ?? hint,
      over: `A drill of ${app.title} has come to its end`,
    };
  }
  if (!app.hasDrill || settings.drillDays === 0 || isPaused || (view?.points.length ?? 0) === 0) return undefined;
  const sinceMs = last ? Date.parse(last.finishedAt) : known.watchedSinceMs;
  const ageMs = nowMs - sinceMs;
  if (ageMs < 2 * settings.drillDays * dayMs + dayMs) return undefined;
  return {
    id: `drill-overdue:${app.name}`,
    severity: "warning",
    message: `${app.title}: no backup was restored for a trial for ${formatAge(ageMs)}.`,
    hint,
    over: `A drill of ${app.title} has run`,
  };
};

const stuck: Finder = ({ app, view, isFresh }, { settings, nowMs }) => {
  const running = view?.running;
  if (!running || !isFresh) return undefined;
  const ageMs = nowMs - Date.parse(running.startedAt);
  if (ageMs < settings.runningHours * hourMs) return undefined;
  return {
    id: `stuck:${app.name}`,
    severity: "warning",
    message: `${app.title}: the ${running.operation} that ${running.startedBy} started has been running for ${formatAge(ageMs)}.`,
    hint: `make cancel-${app.name}`,
    over: `The long run of ${app.title} has ended`,
  };
};

const left: Finder = ({ app, view }) => {
  const [first, ...rest] = view?.left ?? [];
  if (first === undefined) return undefined;
  return {
    id: `left:${app.name}`,
    severity: "problem",
    message: `${app.title}: ${first}, and no run has put that right${rest.length > 0 ? ` (and ${rest.length} more)` : ""}.`,
    hint: `make backup-${app.name}: every run puts that right first.`,
    details: [first, ...rest],
    over: `What was left of ${app.title} is put right`,
    settleMs: leftMs,
  };
};

const badSchedule: Finder = ({ app, badSchedule }) =>
  badSchedule === undefined
    ? undefined
    : {
        id: `schedule:${app.name}`,
        severity: "problem",
        message: `${app.title} is backed up by hand only. ${badSchedule}`,
        hint: "Correct the schedule in stack.yml.",
        over: `The schedule of ${app.title} can be read`,
      };

const finders: readonly Finder[] = [
  late, failing, old, waiting, retention, damaged, scrubOverdue, drill, stuck, left, badSchedule,
]; // biome-ignore format: one line reads better
