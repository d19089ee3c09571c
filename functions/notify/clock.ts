import { setTimeout } from "node:timers/promises";

/** Time, so that it can be another one in tests. */
export interface Clock {
  /** ms since 1970 */
  now(): number;
  /** Resolves after so many ms, or as soon as the signal is given; never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const realClock: Clock = {
  now: Date.now,
  sleep: (ms, signal) => setTimeout(ms, undefined, { signal }).catch(() => {}),
};
