import { expect, test } from "vitest";
import { median, summary } from "./statistics.ts";

test("median() is the middle one, or the mean of the two in the middle, and leaves the list as it was", () => {
  const values = [3, 1, 10];
  expect(median(values)).toBe(3);
  expect(values).toEqual([3, 1, 10]);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(() => median([])).toThrow(RangeError);
});

test("summary() compares within each round, so that a slow round weighs as much as a fast one", () => {
  const pairs = [
    { ours: 1, peer: 2 },
    { ours: 30, peer: 60 },
    { ours: 2, peer: 2 },
  ];
  expect(summary(pairs)).toEqual({ ours: 2, peer: 2, ratio: 0.5 });
});
