import { expect, test } from "vitest";
import { formatAge, formatBytes, formatDuration, formatLocal } from "./words.ts";

const hour = 3_600_000;

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [2_100_000, "2.1 MB"],
  [45_300_000, "45.3 MB"],
  [99_960_000, "100 MB"],
  [999_960_000, "1.0 GB"],
  [3_400_000_000_000, "3.4 TB"],
])("formatBytes(%d) is decimal: %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0, "0.01 s"],
  [30, "0.03 s"],
  [420, "0.4 s"],
  [9_960, "10 s"],
  [59_600, "1 min"],
  [185_000, "3 min 5 s"],
  [4_320_000, "1 h 12 min"],
])("formatDuration(%d) has at most two units: %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test.each([
  [59_000, "moments"],
  [5 * 60_000, "5 min"],
  [28.5 * hour, "28 h"],
  [80 * hour, "3 days"],
  [-30_000, "moments"],
  [-3 * hour, "3 h ahead"],
])("formatAge(%d) is one number: %s", (ms, text) => {
  expect(formatAge(ms)).toBe(text);
});

test("formatLocal() tells a moment with its zone", () => {
  const at = Date.parse("2025-12-18T17:00:05Z");
  expect(formatLocal(at, "Europe/Berlin")).toMatch(/^Thu 2025-12-18 18:00:05 (CET|GMT\+1)$/);
  expect(formatLocal(at, "UTC")).toBe("Thu 2025-12-18 17:00:05 UTC");
});
