import { setTimeout as delay } from "node:timers/promises";

export interface Clock {
  /** Monotonic, in ms. */
  nowMs(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

const realClock: Clock = {
  nowMs: () => performance.now(),
  sleep: async (ms, signal) => void (await delay(ms, undefined, { signal })),
};

/**
 * Bounds how fast something goes on: to be awaited after each piece of work.
 * @returns A function that takes the bytes of the piece, and waits as long as they were done too early.
 */
export function paced(
  bytesPerSecond: number,
  signal: AbortSignal,
  clock: Clock = realClock,
): (bytes: number) => Promise<void> {
  let freeAtMs = clock.nowMs();
  return async (bytes) => {
    // A pause that others made does not count as room: it would be one long burst.
    freeAtMs = Math.max(freeAtMs, clock.nowMs() - 1000) + (1000 * bytes) / bytesPerSecond;
    const earlyMs = freeAtMs - clock.nowMs();
    // Short waits cost more than they are worth.
    if (earlyMs >= 20) await clock.sleep(earlyMs, signal);
  };
}
