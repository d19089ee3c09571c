import { once } from "node:events";
import { setTimeout } from "node:timers/promises";

/** Time, so that it can be another one in tests. */
export interface Clock {
  /** ms since 1970 */
  now(): number;
  /** Resolves after so many ms, or as soon as the signal is given; never rejects. `Infinity`: only then. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const realClock: Clock = {
  now: Date.now,
  async sleep(ms, signal) {
    if (signal.aborted) return;
    if (ms === Number.POSITIVE_INFINITY) await once(signal, "abort");
    else await setTimeout(ms, undefined, { signal }).catch(() => {});
  },
};

/** Wakes who waits for it, and who is just about to. One waits at a time. */
export class Bell {
  #next = new AbortController();

  ring(): void {
    this.#next.abort();
  }

  /** Until it rings, at most so many ms; at once when it rang since the last wait. */
  async wait(clock: Clock, ms: number): Promise<void> {
    const { signal } = this.#next;
    await clock.sleep(ms, signal);
    if (signal.aborted) this.#next = new AbortController();
  }
}
