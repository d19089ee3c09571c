import type { Event } from "../../../events/event.ts";
import { Outcome } from "../../../shared/run/report.ts";
import type { RunStatus } from "../view.ts";
import type { Span } from "./late.ts";

const keptMs = 40 * 86_400_000;
/** Of each app; a home lab has ten a day. */
const keptRuns = 3000;

/** A run that has ended, as the watch keeps it. */
export interface KnownRun extends RunStatus {
  readonly finishedMs: number;
  /** Why it did not go well. */
  readonly code?: string;
  readonly drill?: Outcome["drill"];
  readonly scrub?: Outcome["scrub"];
}

/** What has been, as events and functions have told it: by app, oldest first. */
export class Ledger {
  readonly #runs = new Map<string, KnownRun[]>();
  readonly #ids = new Set<string>();
  readonly #lates = new Map<string, Map<string, { fromMs: number; untilMs?: number }>>();

  /** @returns Whether it was news. */
  learnEvent({ type, data, time }: Event): boolean {
    if (type === "keepsake.backups.late.v1" || type === "keepsake.backups.recovered.v1") {
      if (!data.condition.startsWith("late:") || data.app === undefined) return false;
      const fromMs = Date.parse(data.since);
      const isOver = type === "keepsake.backups.recovered.v1";
      this.learnLate(data.app, fromMs, isOver ? Date.parse(time) : undefined);
      return true;
    }
    const outcome = Outcome.safeParse(data);
    return type !== "keepsake.mapshot.rendered.v1" && outcome.success && this.learn(outcome.data);
  }

  /** @returns Whether it was news. */
  learn(outcome: Outcome): boolean {
    if (this.#ids.has(outcome.runId)) return false;
    this.#ids.add(outcome.runId);
    const runs = this.#runs.get(outcome.app) ?? [];
    this.#runs.set(outcome.app, runs);
    const run = knownRun(outcome);
    const at = runs.findLastIndex(({ finishedMs }) => finishedMs <= run.finishedMs) + 1;
    runs.splice(at, 0, run);
    if (runs.length > keptRuns) for (const { runId } of runs.splice(0, 500)) this.#ids.delete(runId);
    return true;
  }

  /** A backup was late from a moment on; without an end it is not known to be over. */
  learnLate(app: string, fromMs: number, untilMs: number | undefined): void {
    const lates = this.#lates.get(app) ?? new Map();
    this.#lates.set(app, lates);
    const known = lates.get(String(fromMs));
    if (known?.untilMs === undefined) lates.set(String(fromMs), { fromMs, ...(untilMs !== undefined && { untilMs }) });
  }

  forgetBefore(nowMs: number): void {
    for (const runs of this.#runs.values()) {
      const count = runs.findIndex(({ finishedMs }) => finishedMs > nowMs - keptMs);
      if (count > 0) for (const { runId } of runs.splice(0, count)) this.#ids.delete(runId);
    }
  }

  /** Oldest first. */
  of(app: string): readonly KnownRun[] {
    return this.#runs.get(app) ?? [];
  }

  last(app: string, operation: string): KnownRun | undefined {
    return this.of(app).findLast((run) => run.operation === operation);
  }

  /** Newest first. */
  newest(count: number): KnownRun[] {
    const all = [...this.#runs.values()].flatMap((runs) => runs.slice(-count));
    return all.sort((a, b) => b.finishedMs - a.finishedMs).slice(0, count);
  }

  lates(app: string, nowMs: number): Span[] {
    return [...(this.#lates.get(app)?.values() ?? [])].map(({ fromMs, untilMs = nowMs }) => ({ fromMs, untilMs }));
  }
}

function knownRun(outcome: Outcome): KnownRun {
  const { runId, app, operation, startedAt, startedBy, finishedAt, durationMs, message, point, failure } = outcome;
  const finishedMs = Date.parse(finishedAt);
  return {
    ...{ runId, app, operation, outcome: outcome.outcome, startedAt, startedBy, finishedAt, durationMs, message },
    finishedMs: Number.isNaN(finishedMs) ? 0 : finishedMs,
    ...(point && { sizeBytes: point.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) }),
    ...(failure && { code: failure.code }),
    ...(outcome.drill && { drill: outcome.drill }),
    ...(outcome.scrub && { scrub: { ...outcome.scrub, good: [] } }),
  };
}
