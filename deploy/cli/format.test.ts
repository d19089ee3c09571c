import { expect, test } from "vitest";
import { formatTable, formatUtc, formatWhen } from "./format.ts";

const hour = 3_600_000;
const at = Date.parse("2025-12-18T17:00:05Z");

test("formatWhen() names the weekday within six days, in the reader's zone", () => {
  expect(formatWhen(at, { nowMs: at + 28 * hour, timeZone: "Europe/Berlin" })).toBe("Thu 18:00");
  expect(formatWhen(at, { nowMs: at + 28 * hour, timeZone: "Pacific/Auckland" })).toBe("Fri 06:00");
});

test("formatWhen() gives the date where a weekday could mean two days, or one to come", () => {
  expect(formatWhen(at, { nowMs: at + 6 * 24 * hour, timeZone: "Europe/Berlin" })).toBe("2025-12-18 18:00");
  expect(formatWhen(at, { nowMs: at - hour, timeZone: "Europe/Berlin" })).toBe("2025-12-18 18:00");
});

test("formatUtc() tells a moment without the reader's zone", () => {
  expect(formatUtc(at)).toBe("2025-12-18 17:00:05 UTC");
});

test("formatTable() aligns columns and leaves no blanks at the end", () => {
  expect(
    formatTable([
      ["a", "bb", "c"],
      ["aaa", "b", ""],
    ]),
  ).toEqual(["a    bb  c", "aaa  b"]);
});
