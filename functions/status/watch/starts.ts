import type { Remembered } from "./memory.ts";
import type { Knowledge, Situation } from "./situation.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** After a try that changed nothing, in ms: the first wait, which doubles, and the longest. */
const backOffMs = { first: 15 * minuteMs, most: 6 * hourMs };
/** NATS wakes the cleanup at once; after so long it is taken for lost. */
const wakeUpMs = 10 * minuteMs;
/** An outcome is told right after it was written down; one that waits longer waits for somebody to tell it. */
const untoldMs = 5 * minuteMs;
/** Drills take the room of an app and its time: one app an hour. */
const betweenDrillsMs = hourMs;

/** A run that the watch starts. */
export interface Start {
  /** What it is for, "catch-up:factorio": by it the next try is put off. */
  readonly key: string;
  readonly app: string;
  readonly functionName: string;
  readonly body: { readonly operation: string; readonly app: string };
  /** Whether it carries the token. */
  readonly needsToken: boolean;
}

/**
 * What has to be run now: what was missed, what killed runs left, what waits to be told, a wake-up that was lost, and
 * the scrubs and drills whose turn it is, one at a time. Nothing of an app that is paused, or of which nobody knows.
 */
export function startsOf(situations: readonly Situation[], knowledge: Knowledge): Start[] {
  const able = situations.filter(({ isFresh, isPaused }) => isFresh && !isPaused);
  const idle = able.filter(({ view }) => !view?.running);
  const { known, nowMs } = knowledge;
  const wanted = idle.flatMap((situation) => {
    const [first] = wantsOf(situation, knowledge).filter(({ key }) => isReady(known.tries, key, nowMs));
    return first ? [first] : [];
  });
  return [...wanted, ...scrub(able, knowledge), ...drill(idle, able, knowledge)];
}

/** What is to be put right of one app, the most urgent first, whenever it may be tried again. */
export const wantsOf = (situation: Situation, knowledge: Knowledge): Start[] =>
  [catchUp, mend, cleanup].flatMap((want) => want(situation, knowledge) ?? []);

/** Whether a try may be made: the longer not, the more often it changed nothing. A clock that was wrong counts as none. */
export function isReady(tries: Remembered["tries"], key: string, nowMs: number): boolean {
  const tried = tries[key];
  if (!tried || tried.lastMs > nowMs) return true;
  return nowMs - tried.lastMs >= Math.min(backOffMs.first * 2 ** (tried.count - 1), backOffMs.most);
}

function catchUp({ app, late, owed, view }: Situation, { known }: Knowledge): Start | undefined {
  const isDue = late ?? owed ?? known.held[`late:${app.name}`];
  if (!isDue || view?.waiting !== undefined) return undefined;
  return startOf(`catch-up:${app.name}`, app.name, app.backupFunction, "backup");
}

/** A flush puts right what killed runs have left, and tells what was not told: what NATS cannot take now is left alone. */
function mend({ app, view }: Situation, { known, nowMs }: Knowledge): Start | undefined {
  const isLeft = (view?.left?.length ?? 0) > 0;
  const { sinceMs = nowMs } = known.undelivered[app.name] ?? {};
  const isUntold = known.nats.connected && nowMs - sinceMs >= untoldMs;
  if (!isLeft && !isUntold) return undefined;
  return { ...startOf(`mend:${app.name}`, app.name, app.backupFunction, "flush"), needsToken: true };
}

/** Every backup that made something new is followed by a cleanup; one that was not has lost its wake-up. */
function cleanup({ app, backups }: Situation, { ledger, nowMs }: Knowledge): Start | undefined {
  if (app.cleanupFunction === undefined) return undefined;
  const made = backups.findLast(({ outcome }) => outcome === "created");
  const cleaned = ledger.last(app.name, "cleanup");
  if (!made || nowMs - made.finishedMs < wakeUpMs) return undefined;
  if (cleaned && Date.parse(cleaned.startedAt) >= made.finishedMs) return undefined;
  return startOf(`cleanup:${app.name}`, app.name, app.cleanupFunction, "cleanup");
}

const hasPoints = ({ view }: Situation) => (view?.points.length ?? 0) > 0;
const isChecking = (operation: string) => (situation: Situation) =>
  (situation.view?.checking ?? []).some((run) => run.operation === operation);

/** The app whose turn it is: the one whose last was longest ago. What was just made was just read back. */
function scrub(able: readonly Situation[], knowledge: Knowledge): Start[] {
  if (knowledge.settings.scrubHours === 0 || able.some(isChecking("scrub"))) return [];
  const dueMs = (situation: Situation) => nextScrubMs(situation, knowledge) ?? Number.POSITIVE_INFINITY;
  const [first] = able.filter((situation) => dueMs(situation) <= knowledge.nowMs).sort((a, b) => dueMs(a) - dueMs(b));
  if (!first) return [];
  const { name, backupFunction } = first.app;
  return [startOf(`scrub:${name}`, name, backupFunction, "scrub")];
}

function drill(idle: readonly Situation[], able: readonly Situation[], knowledge: Knowledge): Start[] {
  const { known, settings, nowMs } = knowledge;
  if (settings.drillDays === 0 || able.some(isChecking("drill"))) return [];
  const betweenMs = Math.min(betweenDrillsMs, settings.drillDays * dayMs);
  if (able.some((situation) => nowMs - (lastCheckMs(situation, "drill", known, nowMs) ?? 0) < betweenMs)) return [];
  const dueMs = (situation: Situation) => nextDrillMs(situation, knowledge) ?? Number.POSITIVE_INFINITY;
  const [first] = idle.filter((situation) => dueMs(situation) <= nowMs).sort((a, b) => dueMs(a) - dueMs(b));
  if (!first) return [];
  const { name, restoreFunction } = first.app;
  return [startOf(`drill:${name}`, name, restoreFunction, "drill")];
}

/** When the next scrub of an app is due; undefined: none is. */
export function nextScrubMs(situation: Situation, { known, settings, nowMs }: Knowledge): number | undefined {
  if (settings.scrubHours === 0 || !hasPoints(situation)) return undefined;
  return (lastCheckMs(situation, "scrub", known, nowMs) ?? known.watchedSinceMs) + settings.scrubHours * hourMs;
}

/** The same of the next drill: the first one soon, and one that has proven nothing again after a day. */
export function nextDrillMs(situation: Situation, { known, settings, nowMs }: Knowledge): number | undefined {
  const { app, view } = situation;
  if (settings.drillDays === 0 || !app.hasDrill || !hasPoints(situation)) return undefined;
  const everyMs = settings.drillDays * dayMs;
  const lastMs = lastCheckMs(situation, "drill", known, nowMs);
  if (lastMs === undefined) return known.watchedSinceMs + Math.min(everyMs, betweenDrillsMs);
  const hasProven = !view?.lastDrill || view.lastDrill.outcome === "proven";
  return lastMs + (hasProven ? everyMs : Math.min(everyMs, dayMs));
}

/** When the last one was begun, in ms since the epoch. */
function lastCheckMs({ app, view }: Situation, what: "scrub" | "drill", known: Remembered, nowMs: number) {
  const last = what === "scrub" ? view?.lastScrub : view?.lastDrill;
  const moments = [...(last ? [Date.parse(last.startedAt)] : []), known.tries[`${what}:${app.name}`]?.lastMs ?? []];
  // A moment that lies ahead is that of a clock that was wrong.
  const past = moments.flat().filter((ms) => ms <= nowMs);
  return past.length === 0 ? undefined : Math.max(...past);
}

const startOf = (key: string, app: string, functionName: string, operation: string): Start => ({
  ...{ key, app, functionName, body: { operation, app }, needsToken: false },
});
