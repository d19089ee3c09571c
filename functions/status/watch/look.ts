import type { AppView } from "../../../shared/run/report.ts";
import type { Answer, NotifyAnswer } from "./ask.ts";
import type { Ledger } from "./ledger.ts";
import type { Remembered } from "./memory.ts";

/** So many pauses of an app are remembered: what was due in them was not missed. */
const keptPauses = 20;

/** What one look at everything has shown. */
export interface Seen {
  readonly nowMs: number;
  /** By function. */
  readonly answers: ReadonlyMap<string, Answer>;
  /** undefined: there is none to ask. */
  readonly notify?: NotifyAnswer | { readonly silent: string };
  /** By function; undefined: neither the gateway nor the file tells. */
  readonly schedules?: ReadonlyMap<string, string> | undefined;
}

/** Takes what a look has shown into what is known. What did not answer stays what it was, and it is known since when. */
export function learn(known: Remembered, ledger: Ledger, { nowMs, answers, notify, schedules }: Seen): void {
  for (const [name, answer] of answers) {
    if (answer.kind !== "silent") delete known.silent[name];
    else known.silent[name] = { sinceMs: known.silent[name]?.sinceMs ?? nowMs, why: answer.why };
    if (answer.kind !== "state") continue;
    for (const view of answer.state.apps) learnApp(known, ledger, view, nowMs);
    if (answer.state.nas) Object.assign(known.nas, answer.state.nas);
  }
  learnNas(known, [...answers.values()], nowMs);
  if (schedules) learnSchedules(known, schedules, nowMs);
  if (notify && "silent" in notify) {
    known.silent.notify = { sinceMs: known.silent.notify?.sinceMs ?? nowMs, why: notify.silent };
  } else if (notify) {
    delete known.silent.notify;
    const { waiting, oldestWaitingAt, lastTold, parked, channels = [] } = notify;
    const refusing = channels.find((channel) => channel.refusing);
    known.notify = {
      ...(waiting !== undefined && { waiting }),
      ...(oldestWaitingAt !== undefined && { oldestWaitingAt }),
      ...(lastTold ? { lastDeliveredAt: lastTold.at } : keepDelivered(known)),
      ...(parked ? { parked: parked.length } : { parked: known.notify.parked ?? 0 }),
      ...(refusing?.refusing && { lastError: `${refusing.name}: ${refusing.refusing.why}` }),
    };
  }
}

const keepDelivered = ({ notify: { lastDeliveredAt } }: Remembered) =>
  lastDeliveredAt === undefined ? {} : { lastDeliveredAt };

function learnApp(known: Remembered, ledger: Ledger, view: AppView, nowMs: number): void {
  const { app, pausedUntil, lastOutcome, lastScrub, lastDrill, waitingOutcomes = 0 } = view;
  for (const outcome of [lastOutcome, lastScrub, lastDrill]) if (outcome) ledger.learn(outcome);
  // Facts can be long, and are for restores.
  const points = view.points.map(({ facts: _, ...point }) => point);
  known.views[app] = { view: { ...view, points }, seenMs: nowMs };
  const before = known.undelivered[app];
  if (waitingOutcomes === 0) delete known.undelivered[app];
  else known.undelivered[app] = { count: waitingOutcomes, sinceMs: before?.sinceMs ?? nowMs };
  learnPause(known, app, pausedUntil, nowMs);
}

function learnPause(known: Remembered, app: string, pausedUntil: string | undefined, nowMs: number): void {
  const pauses = known.pauses[app] ?? [];
  const last = pauses.at(-1);
  const isOpen = last !== undefined && last.untilMs > nowMs;
  if (pausedUntil !== undefined) {
    const untilMs = Date.parse(pausedUntil);
    if (isOpen) last.untilMs = untilMs;
    else pauses.push({ fromMs: nowMs, untilMs });
  } else if (isOpen) last.untilMs = nowMs;
  if (pauses.length > 0) known.pauses[app] = pauses.slice(-keptPauses);
}

/** One function that reads the NAS is enough to know that it is there. */
function learnNas(known: Remembered, answers: readonly Answer[], nowMs: number): void {
  const isThere = answers.some(({ kind }) => kind === "state");
  const away = answers.find((answer) => answer.kind === "nas");
  if (!isThere && !away) return;
  const { nas } = known;
  if (nas.reachable !== isThere) {
    if (nas.reachable === false) nas.backMs = nowMs;
    Object.assign(nas, { reachable: isThere, sinceMs: nowMs });
  }
  nas.checkedMs = nowMs;
  if (isThere || !away) delete nas.why;
  else nas.why = away.why;
}

/** A schedule that was changed counts from its change on: what the new one asks for was not due before. */
function learnSchedules(known: Remembered, schedules: ReadonlyMap<string, string>, nowMs: number): void {
  for (const name of Object.keys(known.schedules)) if (!schedules.has(name)) delete known.schedules[name];
  for (const [name, line] of schedules) {
    const before = known.schedules[name];
    if (before?.line === line) continue;
    known.schedules[name] = { line, ...(before && { sinceMs: nowMs }) };
  }
}
