import { z } from "zod";
import { Event } from "../../../events/event.ts";
import { AppView } from "../../../shared/run/report.ts";

const ms = z.number();

/** A condition that is found, from the first look that found it to the end that was reported. */
export const Held = z.object({
  id: z.string(),
  app: z.string().optional(),
  severity: z.enum(["info", "warning", "problem"]),
  message: z.string(),
  hint: z.string().optional(),
  details: z.array(z.string()).optional(),
  /** Says that it is over: "The NAS is back". */
  over: z.string(),
  /** It is told as a late backup, not as any other condition. */
  isLate: z.boolean(),
  /** RFC 3339. */
  since: z.string(),
  /** When it was first found. */
  seenMs: ms,
  /** When people were told last; absent: it has to hold for a while before they are. */
  toldMs: ms.optional(),
  /** How often it was told again. */
  again: z.number(),
  /** Since when it is not found any more; it has to stay so for a while. */
  goneMs: ms.optional(),
});
export type Held = z.infer<typeof Held>;

/** What the watch keeps over its own restart: what it last knew, what it has told, and what it has begun. */
export const Remembered = z.object({
  version: z.literal(1),
  /** What was due before that was missed by nobody. */
  watchedSinceMs: ms,
  /** When it last went all the way round. */
  roundMs: ms.optional(),
  /** When the next one is to begin. */
  dueMs: ms.optional(),
  /** By app: what its function said last. */
  views: z.record(z.string(), z.object({ view: AppView, seenMs: ms })),
  /** By function: since when it has not answered, and what came instead. */
  silent: z.record(z.string(), z.object({ sinceMs: ms, why: z.string() })),
  nas: z.object({
    reachable: z.boolean().optional(),
    sinceMs: ms.optional(),
    checkedMs: ms.optional(),
    /** When it came back from being away. */
    backMs: ms.optional(),
    why: z.string().optional(),
    freeBytes: z.number().optional(),
    totalBytes: z.number().optional(),
  }),
  /** Of NATS: whether it is there, and since when that is so. */
  nats: z.object({ connected: z.boolean(), sinceMs: ms }),
  /** By function: its schedule, and since when it has been another one than before. */
  schedules: z.record(z.string(), z.object({ line: z.string(), sinceMs: ms.optional() })),
  /** By app. */
  pauses: z.record(z.string(), z.array(z.object({ fromMs: ms, untilMs: ms }))),
  held: z.record(z.string(), Held),
  /** By condition: when it was told that it began, during the last day. */
  raised: z.record(z.string(), z.array(ms)),
  /** Events that wait to be published, oldest first; `posted`: `notify` has them already. */
  queue: z.array(z.object({ event: Event, posted: z.boolean() })),
  /** By what was begun, "catch-up:factorio": how often, and when last. */
  tries: z.record(z.string(), z.object({ count: z.number(), lastMs: ms })),
  /** By app: outcomes that wait to be told, and since when there are any. */
  undelivered: z.record(z.string(), z.object({ count: z.number(), sinceMs: ms })),
  notify: z.object({
    waiting: z.number().optional(),
    oldestWaitingAt: z.string().optional(),
    parked: z.number().optional(),
    lastDeliveredAt: z.string().optional(),
    lastError: z.string().optional(),
  }),
  /** The last day that has its digest. */
  digestDay: z.string().optional(),
});
export type Remembered = z.infer<typeof Remembered>;

export const nothingRemembered = (nowMs: number): Remembered => ({
  ...{ version: 1, watchedSinceMs: nowMs, views: {}, silent: {}, nas: {}, nats: { connected: false, sinceMs: nowMs } },
  ...{ schedules: {}, pauses: {}, held: {}, raised: {}, queue: [], tries: {}, undelivered: {}, notify: {} },
});

export const memoryKey = "watch";

/** @returns undefined when there is none, or one that cannot be read: then the watch begins anew. */
export function parseRemembered(text: string | undefined): Remembered | undefined {
  try {
    return Remembered.safeParse(JSON.parse(text ?? "")).data;
  } catch {
    return undefined;
  }
}

/**
 * What was kept, with what was found out before it could be read: newer views win, what was told before stays told.
 */
export function mergeRemembered(kept: Remembered, now: Remembered): Remembered {
  const queued = new Set(kept.queue.map(({ event }) => event.id));
  return {
    ...now,
    ...(kept.roundMs !== undefined && { roundMs: Math.max(kept.roundMs, now.roundMs ?? 0) }),
    ...(kept.dueMs !== undefined && now.dueMs === undefined && { dueMs: kept.dueMs }),
    watchedSinceMs: Math.min(kept.watchedSinceMs, now.watchedSinceMs),
    views: { ...kept.views, ...now.views },
    silent: Object.fromEntries(Object.entries(now.silent).map(([name, silent]) => [name, kept.silent[name] ?? silent])),
    nas:
      now.nas.reachable === undefined || now.nas.reachable === kept.nas.reachable
        ? { ...now.nas, ...kept.nas }
        : now.nas,
    schedules: { ...kept.schedules, ...now.schedules },
    pauses: { ...now.pauses, ...kept.pauses },
    held: { ...now.held, ...kept.held },
    raised: { ...now.raised, ...kept.raised },
    queue: [...kept.queue, ...now.queue.filter(({ event }) => !queued.has(event.id))],
    tries: { ...kept.tries, ...now.tries },
    undelivered: { ...kept.undelivered, ...now.undelivered },
    notify: { ...kept.notify, ...now.notify },
    ...(kept.digestDay !== undefined && { digestDay: kept.digestDay }),
  };
}
