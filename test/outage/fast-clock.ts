import type { Clock } from "../../functions/notify/clock.ts";

/** Telegram takes a message a second: five hundred of them are ten seconds of this clock. */
const speed = 60;

/** A clock that runs fast; all that are made with the same start agree. */
export function fastClock(startMs: number): Clock {
  return {
    now: () => startMs + (Date.now() - startMs) * speed,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const timer = ms === Number.POSITIVE_INFINITY ? undefined : setTimeout(resolve, ms / speed);
        const wake = () => {
          clearTimeout(timer);
          resolve();
        };
        signal.addEventListener("abort", wake, { once: true });
      }),
  };
}
