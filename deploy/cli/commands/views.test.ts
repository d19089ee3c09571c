import { expect, test } from "vitest";
import { appView, endedRun } from "../testing/functions-server.ts";
import { describePoints } from "./list.ts";
import { describeApp } from "./status.ts";

const clock = { nowMs: Date.parse("2025-12-19T21:30:00Z"), timeZone: "Europe/Berlin" };
const point = (id: string, takenAt: string, rest = {}) => ({
  id,
  takenAt,
  sizeBytes: 2_100_000,
  files: [`factorio-${id}.zip`],
  verified: true,
  pinned: false,
  latest: false,
  ...rest,
});
const points = [
  point("20251218-230002", "2025-12-18T23:00:02Z", {
    latest: true,
    scrubbedAt: "2025-12-19T18:30:00Z",
    proven: { at: "2025-12-19T19:30:00Z", tookMs: 65_000 },
  }),
  point("20251218-170005", "2025-12-18T17:00:05Z", { pinned: true, verified: false }),
];

test("describePoints() says first what one can go back to, oldest first", () => {
  const [first, ...table] = describePoints(appView("factorio", "Factorio", { points }), "Factorio", clock);
  expect(first).toBe("You can go back to Thu 18:00 (28 h), Fri 00:00 (22 h)");
  expect(table).toEqual([
    "WHEN       AGE   SIZE    VERIFIED      READ BACK  PROVEN                 PINNED  LATEST  NAME             FILES",
    "Fri 00:00  22 h  2.1 MB  verified      3 h ago    2 h ago, in 1 min 5 s  -       latest  20251218-230002  factorio-20251218-230002.zip",
    "Thu 18:00  28 h  2.1 MB  not verified  -          -                      pinned  -       20251218-170005  factorio-20251218-170005.zip",
  ]);
});

test("describePoints() says that there is none, and that backups wait", () => {
  const view = appView("factorio", "Factorio", { waiting: "another map" });
  expect(describePoints(view, "Factorio", clock)).toEqual([
    "Factorio: there is no restore point yet",
    "Backups wait: another map",
  ]);
});

test("describeApp() tells the last good backup, what runs, what waits and what failed", () => {
  const failure = { code: "source_replaced" as const, message: "another map", retryable: false };
  const view = appView("factorio", "Factorio", {
    points,
    lastGood: { at: "2025-12-18T23:00:02Z", outcome: "created" },
    running: { runId: "r2", operation: "backup", startedBy: "cron", startedAt: "2025-12-19T21:20:00Z" },
    waiting: "accept it first",
    lastOutcome: endedRun("r1", "factorio", { outcome: "refused", failure, finishedAt: "2025-12-19T21:10:00Z" })
      .outcome,
  });
  expect(describeApp(view, "Factorio", clock)).toEqual([
    "Factorio",
    "good 22 h ago (Fri 00:00)",
    "2 restore points",
    "running: backup, started by cron 10 min ago; waiting: accept it first; last run refused 20 min ago: another map",
  ]);
});
