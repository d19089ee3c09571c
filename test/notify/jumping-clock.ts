import type { Clock } from "../../functions/notify/clock.ts";

/** Time passes only where somebody sleeps, and then at once. */
export function jumpingClock(start = Date.parse("2025-12-19T17:00:00Z")): Clock & { pass(ms: number): void } {
  let now = start;
  const sleepers = new Set<{ at: number; wake: () => void }>();
  let isPumping = false;
  const pump = () => {
    const [next] = [...sleepers].toSorted((a, b) => a.at - b.at);
    if (!next) {
      isPumping = false;
      return;
    }
    sleepers.delete(next);
    now = Math.max(now, next.at);
    next.wake();
    setTimeout(pump, 1);
  };
  return {
    now: () => now,
    pass(ms) {
      now += ms;
    },
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const sleeper = { at: now + ms, wake: resolve };
        const over = () => {
          sleepers.delete(sleeper);
          resolve();
        };
        signal.addEventListener("abort", over, { once: true });
        if (ms === Number.POSITIVE_INFINITY) return;
        sleepers.add(sleeper);
        if (!isPumping) setTimeout(pump, 1);
        isPumping = true;
      }),
  };
}
