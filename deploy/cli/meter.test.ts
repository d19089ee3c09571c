import { expect, test } from "vitest";
import { describeProgress, drawBar, Meter } from "./meter.ts";

const at = (seconds: number, doneBytes: number, phase = "copying") => ({
  type: "progress" as const,
  at: new Date(seconds * 1000).toISOString(),
  phase,
  doneBytes,
  totalBytes: 100_000_000,
});

test("Meter.add() gives the rate of the last seconds, by the run's own times", () => {
  const meter = new Meter();
  expect(meter.add(at(0, 0))).toBeUndefined();
  expect(meter.add(at(1, 10_000_000))).toBe(10_000_000);
  // Fast long ago, slow now: what is left will be slow.
  expect(meter.add(at(15, 24_000_000))).toBe(1_000_000);
});

test("Meter.add() keeps phases that take turns apart, and begins anew with a count that falls", () => {
  const meter = new Meter();
  meter.add(at(0, 0));
  expect(meter.add(at(1, 5, "verifying"))).toBeUndefined();
  expect(meter.add(at(2, 8_000_000))).toBe(4_000_000);
  expect(meter.add(at(3, 3, "verifying"))).toBeUndefined();
});

test("describeProgress() tells share, rate and time left, as far as they are known", () => {
  expect(describeProgress(at(0, 45_000_000), 5_000_000)).toBe("copying  45 %  45.0 MB of 100 MB  5.0 MB/s  11 s left");
  expect(describeProgress({ ...at(0, 45_000_000), totalBytes: undefined })).toBe("copying  45.0 MB");
  expect(describeProgress({ type: "progress", at: "", phase: "stopping the app" })).toBe("stopping the app");
});

test("drawBar() stays in its frame when there is more than was announced", () => {
  expect(drawBar(at(0, 50_000_000), 10)).toBe("[#####-----]");
  expect(drawBar(at(0, 200_000_000), 10)).toBe("[##########]");
});
