import type { Logger } from "../../../shared/log.ts";
import { parseSchedule, type Schedule } from "../../../shared/stack/schedule.ts";
import { type FunctionStatus, namespace } from "./deployments.ts";

export interface CronOptions {
  readonly gatewayUrl: string;
  readonly functions: () => readonly FunctionStatus[];
  readonly log: Logger;
  readonly now?: () => number;
  /** Calls the gateway; fetch unless given. */
  readonly send?: typeof fetch;
  /** How often the list of functions is looked at. */
  readonly rebuildMs?: number;
}

interface Entry {
  readonly name: string;
  readonly line: string;
  readonly schedule: Schedule;
  nextMs: number;
}

export interface Cron {
  /** What is scheduled, with the next time of each. */
  list(): { name: string; schedule: string; nextMs: number }[];
  stop(): void;
}

const topic = "cron-function";

/**
 * The part of OpenFaaS's cron-connector: calls the functions with `topic: cron-function` at the times of their
 * `schedule`. A failed call is logged, nothing more: no retry; nothing is caught up on, and a call does not wait for
 * the one before it. After a sleep of the machine a function is called once, however many times it missed.
 */
export function startCron(options: CronOptions): Cron {
  const { gatewayUrl, functions, log, now = Date.now, send = fetch, rebuildMs = 10_000 } = options;
  const entries = new Map<string, Entry>();
  /** Schedules that cannot be read, so that each is told once. */
  const unreadable = new Set<string>();
  let seenMs = now();
  let timer: NodeJS.Timeout | undefined;

  const rebuild = (nowMs: number) => {
    const wanted = functions().filter(({ annotations }) => annotations?.topic === topic);
    for (const [name, { line }] of entries) {
      if (!wanted.some((fn) => fn.name === name && fn.annotations?.schedule === line)) entries.delete(name);
    }
    for (const { name, annotations } of wanted) {
      const line = annotations?.schedule ?? "";
      if (entries.has(name) || unreadable.has(`${name} ${line}`)) continue;
      try {
        const schedule = parseSchedule(line);
        entries.set(name, { name, line, schedule, nextMs: schedule.next(nowMs) });
      } catch (error) {
        unreadable.add(`${name} ${line}`);
        log.warn({ function: name, problem: (error as Error).message }, "not scheduled");
      }
    }
  };

  const fire = async (name: string) => {
    try {
      const response = await send(`${gatewayUrl}/function/${name}.${namespace}`, {
        method: "POST",
        headers: { "X-Topic": topic, "X-Connector": "cron-connector" },
      });
      await response.body?.cancel();
      log[response.ok ? "info" : "warn"]({ function: name, status: response.status }, "scheduled call");
    } catch (error) {
      log.warn({ function: name, problem: (error as Error).message }, "scheduled call failed");
    }
  };

  const tick = () => {
    const nowMs = now();
    // A clock that was set back would else leave everything waiting for a time that is far away.
    if (nowMs < seenMs) entries.clear();
    seenMs = nowMs;
    const due = [...entries.values()].filter(({ nextMs }) => nextMs <= nowMs);
    for (const entry of due) entry.nextMs = entry.schedule.next(nowMs);
    rebuild(nowMs);
    for (const entry of due) if (entries.get(entry.name) === entry) void fire(entry.name);
    const waitMs = Math.min(rebuildMs, ...[...entries.values()].map(({ nextMs }) => nextMs - nowMs));
    timer = setTimeout(tick, waitMs);
  };
  tick();

  return {
    list: () => [...entries.values()].map(({ name, line, nextMs }) => ({ name, schedule: line, nextMs })),
    stop: () => clearTimeout(timer),
  };
}
