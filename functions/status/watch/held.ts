import { type ConditionEvent, conditionEvent, subjects } from "../../../events/event.ts";
import type { Severity } from "../view.ts";
import type { Held } from "./memory.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** The longest that something has to stay away before it is over, however often it came back. */
const quietMostMs = 6 * hourMs;

/** Something that is wrong, as one look has found it. */
export interface Found {
  /** Stable: "late:factorio". */
  readonly id: string;
  readonly app?: string;
  readonly severity: Severity;
  /** One sentence for people. */
  readonly message: string;
  readonly hint?: string | undefined;
  readonly details?: readonly string[];
  /** Says that it is over: "The NAS is back". */
  readonly over: string;
  readonly isLate?: boolean;
  /** Since when it holds, where that is known; else since it was found. */
  readonly sinceMs?: number;
  /** It comes and goes by itself: it has to hold so long before it is told, and to be gone so long before it is over. */
  readonly settleMs?: number;
  /** It is told again every day. */
  readonly repeats?: boolean;
}

export interface Weighed {
  readonly held: Record<string, Held>;
  readonly raised: Record<string, number[]>;
  /** What people are to be told now, in order. */
  readonly events: ConditionEvent[];
  /** Something has to be looked at again soon: it is not sure yet that it holds, or that it is over. */
  readonly isUnsettled: boolean;
}

export interface WeighOptions {
  readonly nowMs: number;
  /** Nobody knows now whether it holds: it stays as it is. */
  readonly isFrozen: (condition: { readonly id: string; readonly app?: string | undefined }) => boolean;
}

/**
 * What is held after a look, and what is to be told of it: each condition once when it begins and once when it is over;
 * in between it is kept up to date, and told again where it got worse or repeats. One that comes and goes has to stay
 * away the longer the more often it came back.
 */
export function weigh(
  before: { readonly held: Readonly<Record<string, Held>>; readonly raised: Readonly<Record<string, number[]>> },
  found: readonly Found[],
  { nowMs, isFrozen }: WeighOptions,
): Weighed {
  const held: Record<string, Held> = {};
  const raised = pruned(before.raised, nowMs);
  const events: ConditionEvent[] = [];
  const time = new Date(nowMs).toISOString();
  let isUnsettled = false;
  const past = (ms: number) => Math.min(ms, nowMs);

  for (const one of found) {
    const known = before.held[one.id];
    if (known === undefined && isFrozen(one)) continue;
    const { goneMs: _, ...rest } = known ?? first(one, nowMs);
    const next: Held = { ...rest, ...contentOf(one), seenMs: past(rest.seenMs) };
    held[one.id] = next;
    const subject = next.isLate ? subjects.late : subjects.raised;
    if (next.toldMs === undefined) {
      if (nowMs - next.seenMs < (one.settleMs ?? 0)) {
        isUnsettled = true;
        continue;
      }
      next.toldMs = nowMs;
      raised[one.id] = [...(raised[one.id] ?? []), nowMs];
      events.push(conditionEvent(subject, dataOf(next), { time }));
      continue;
    }
    next.toldMs = past(next.toldMs);
    const isWorse = known !== undefined && rank[next.severity] > rank[known.severity];
    if (!isWorse && !(one.repeats && nowMs - next.toldMs >= dayMs)) continue;
    next.toldMs = nowMs;
    next.again += 1;
    events.push(conditionEvent(subject, dataOf(next), { time, again: next.again }));
  }

  for (const known of Object.values(before.held)) {
    if (held[known.id]) continue;
    if (isFrozen(known)) {
      held[known.id] = known;
      continue;
    }
    if (known.toldMs === undefined) continue;
    const goneMs = past(known.goneMs ?? nowMs);
    if (nowMs - goneMs < quietMs((raised[known.id] ?? []).length)) {
      held[known.id] = { ...known, goneMs };
      isUnsettled = true;
      continue;
    }
    const { hint: _, details: __, ...data } = dataOf(known);
    const message = `${known.over}, after ${lasted(goneMs - Date.parse(known.since))}.`;
    events.push(conditionEvent(subjects.recovered, { ...data, message }, { time }));
  }
  return { held, raised, events, isUnsettled };
}

const rank: Record<Severity, number> = { info: 0, warning: 1, problem: 2 };

const contentOf = ({ app, severity, message, hint, details, over, isLate = false }: Found) => ({
  ...{ severity, message, over, isLate },
  ...(app !== undefined && { app }),
  hint,
  details: details && [...details],
});

const first = (one: Found, nowMs: number): Held => ({
  id: one.id,
  ...contentOf(one),
  since: new Date(Math.min(one.sinceMs ?? nowMs, nowMs)).toISOString(),
  seenMs: nowMs,
  again: 0,
});

const dataOf = ({ id, app, message, hint, severity, since, details }: Held) => ({
  ...{ condition: id, message, severity, since },
  ...(app !== undefined && { app }),
  ...(hint !== undefined && { hint }),
  ...(details !== undefined && details.length > 0 && { details }),
});

/** One that came once today is over at once; then after 4 minutes, 16, an hour… */
const quietMs = (times: number) => (times <= 1 ? 0 : Math.min(minuteMs * 4 ** (times - 1), quietMostMs));

function pruned(raised: Readonly<Record<string, number[]>>, nowMs: number): Record<string, number[]> {
  const recent = Object.entries(raised).map(
    ([id, times]) => [id, times.filter((ms) => ms <= nowMs && nowMs - ms < dayMs)] as const,
  );
  return Object.fromEntries(recent.filter(([, times]) => times.length > 0));
}

function lasted(ms: number): string {
  const minutes = Math.max(1, Math.round(ms / minuteMs));
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 72 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}
