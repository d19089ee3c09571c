import { expect, test } from "vitest";
import { describeOutcome, labelOf, summarise } from "./outcome.ts";
import { endedRun } from "./testing/functions-server.ts";

const clock = { nowMs: Date.parse("2025-12-19T22:00:00Z"), timeZone: "Europe/Berlin" };
const point = {
  id: "20251218-170005",
  takenAt: "2025-12-18T17:00:05.000Z",
  files: [{ name: "factorio-20251218-170005.zip", sizeBytes: 2_100_000, sha256: "3f9a41c2".repeat(8) }],
};
const lines = (outcome: Parameters<typeof endedRun>[2]) => {
  const run = endedRun("r1", "factorio", outcome);
  return run.outcome ? describeOutcome("Factorio", run.outcome, clock) : [];
};

test("describeOutcome() of a created backup: words, size, time, checksum, place", () => {
  expect(lines({ outcome: "created", point, previousSizeBytes: 2_000_000, removed: ["factorio-old.zip"] })).toEqual([
    "Factorio  created  2.1 MB in 0.4 s  +100 kB  sha256 3f9a41c2…  → factorio/backups/history/factorio-20251218-170005.zip",
    "  removed, as the retention says: factorio-old.zip",
  ]);
});

test("describeOutcome() of an unchanged one: the word unchanged, and the time it took", () => {
  expect(lines({ outcome: "unchanged", durationMs: 31, point })).toEqual([
    "Factorio  unchanged  in 0.03 s  since Thu 18:00 (28 h)  2.1 MB  sha256 3f9a41c2…",
  ]);
});

test("describeOutcome() of a restore beside production says where", () => {
  expect(lines({ outcome: "restored", point, restoredTo: "/tmp/look" })[0]).toMatch(
    /from Thu 18:00 \(28 h\).*→ \/tmp\/look$/,
  );
});

test("describeOutcome() of a failure: message, hint, warnings, what was put in order", () => {
  const failure = {
    code: "source_smaller" as const,
    message: "2 of 9 GB are left",
    hint: "ALLOW=smaller",
    retryable: false,
  };
  expect(lines({ outcome: "refused", failure, warnings: ["old client"], mended: ["rolled back r0"] })).toEqual([
    "Factorio  refused  2 of 9 GB are left  in 0.4 s",
    "  ALLOW=smaller",
    "  put in order: rolled back r0",
    "  warning: old client",
  ]);
});

test("labelOf() tells two apps of one type apart", () => {
  expect(labelOf({ app: "factorio", type: "factorio", title: "Factorio" })).toBe("Factorio");
  expect(labelOf({ app: "space-age", type: "factorio", title: "Factorio" })).toBe("Factorio (space-age)");
});

test("summarise() names those that did not go well", () => {
  const ends = [
    { app: "factorio", end: "created" },
    { app: "shared", end: "failed" },
    { app: "ollama", end: "created" },
    { app: "webui", end: "kept" },
  ];
  expect(summarise(ends)).toBe("4 apps: 2 created, 1 failed (shared), 1 kept (webui)");
});
