import { expect, test } from "vitest";
import { type Clock, paced } from "./pace.ts";

/** Time passes only by sleeping, and by `work`. */
function fakeClock() {
  let nowMs = 1000;
  const clock: Clock = {
    nowMs: () => nowMs,
    sleep: async (ms) => {
      nowMs += ms;
    },
  };
  return {
    clock,
    work: (ms: number) => {
      nowMs += ms;
    },
    elapsedMs: () => nowMs - 1000,
  };
}

const never = new AbortController().signal;

test("paced() keeps to so many bytes a second, however the pieces come", async () => {
  const { clock, work, elapsedMs } = fakeClock();
  const pace = paced(20e6, never, clock);
  for (let piece = 0; piece < 400; piece++) {
    work(piece % 3);
    await pace(piece % 2 === 0 ? 100_000 : 900_000);
  }
  // 200 MB at 20 MB/s; what is not waited for is a piece at most.
  expect(elapsedMs()).toBeGreaterThan(9_900);
  expect(elapsedMs()).toBeLessThan(10_100);
});

test("paced() does not catch up after a pause that others made: no long burst follows it", async () => {
  const { clock, work, elapsedMs } = fakeClock();
  const pace = paced(1e6, never, clock);
  await pace(1e6);
  work(3_600_000);
  const fromMs = elapsedMs();
  for (let piece = 0; piece < 10; piece++) await pace(1e6);
  expect(elapsedMs() - fromMs).toBeGreaterThanOrEqual(9_000);
});

test("paced() ends its wait when the run is cancelled", async () => {
  const stop = new AbortController();
  const waiting = paced(1, stop.signal)(1000);
  stop.abort(new Error("cancelled"));
  await expect(waiting).rejects.toThrow();
});
