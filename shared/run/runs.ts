import type { Lane, RunDescription, RunRequest } from "./description.ts";
import type { Outcome, Progress, RunLine } from "./report.ts";

/** What is known of a run for as long as its outcome is on record. */
export type KnownRun = Pick<RunDescription, "id" | "function" | "app" | "startedAt" | "startedBy"> & {
  readonly request: Pick<RunRequest, "operation">;
};

export interface FoundRun {
  readonly run: KnownRun;
  readonly progress?: Progress;
  /** Absent while it runs. */
  readonly outcome?: Outcome;
}

/** Where runs are carried out: processes of this machine, or Jobs of a cluster. */
export interface Runs {
  /**
   * Starts a run, once for ever: a second start with the same id does nothing.
   * @returns Whether this call started it.
   */
  start(run: RunDescription): Promise<boolean>;
  find(id: string): Promise<FoundRun | undefined>;
  /** A run of this app and lane that was started from here and has not ended, even if it does not hold the lock yet. */
  active(app: string, lane: Lane): Promise<RunDescription | undefined>;
  /** What a run tells, from its line `after` on, live until its outcome. Lines are numbered from 1. */
  follow(
    id: string,
    options: { after?: number; signal: AbortSignal },
  ): AsyncIterable<{ number: number; line: RunLine }>;
  /** Asks a run to end. @returns Whether there was one to ask. */
  cancel(id: string): Promise<boolean>;
}
