import { expect, test } from "vitest";
import type { Plan } from "../../shared/run/report.ts";
import { decideRestore, describeDecision, describePlan } from "./plan.ts";

const clock = { nowMs: Date.parse("2025-12-19T22:00:00Z"), timeZone: "Europe/Berlin" };
const point = {
  id: "20251218-170005",
  takenAt: "2025-12-18T17:00:05.000Z",
  sizeBytes: 2_100_000,
  verified: true,
  files: ["factorio-20251218-170005.zip"],
  from: "/nas/factorio/backups/history/factorio-20251218-170005.zip",
};
const present = { label: "4 saves", sizeBytes: 2_300_000, changedAt: "2025-12-19T20:40:00Z", newerThanPoint: true };
const older = { ...present, newerThanPoint: false };

test.each<[string, Partial<Plan>, boolean, string]>([
  ["nothing is there: restored", { point }, false, "restore"],
  ["older data is there: restored", { point, present: older }, false, "restore"],
  ["newer data is there: kept", { point, present }, false, "keep"],
  ["newer data is there, but the app was named: restored", { point, present }, true, "restore"],
  ["there is no backup: skipped", { present }, false, "skip"],
  ["there is no backup, though the app was named: skipped", {}, true, "skip"],
])("decideRestore() where %s", (_, plan, named, action) => {
  expect(decideRestore({ stopsApp: true, ...plan }, named).action).toBe(action);
});

test("describePlan() says what replaces what: local time, UTC, age, size, where from", () => {
  const text = describePlan("Factorio", { point, present, stopsApp: true }, clock).join("\n");
  expect(text).toMatch(/Thu 2025-12-18 18:00:05 \S+ \(28 h\), 2025-12-18 17:00:05 UTC, 2\.1 MB, verified/);
  expect(text).toContain(`from      ${point.from}`);
  expect(text).toContain("replaces  4 saves, 2.3 MB, last changed Fri 21:40 (80 min)");
  expect(text).toContain("NEWER than the backup");
  expect(text).toContain("is stopped");
});

test("describePlan() says that TO= touches nothing of production", () => {
  const text = describePlan("Factorio", { point, present, stopsApp: true }, clock, "/tmp/look").join("\n");
  expect(text).toContain("into      /tmp/look, beside production, which is not touched");
  expect(text).not.toContain("stopped");
});

test("describeDecision() is one line with the reason", () => {
  const plan = { point, present, stopsApp: true };
  expect(describeDecision("Factorio", plan, decideRestore(plan, false), clock)).toEqual([
    "Factorio",
    "keep",
    "Thu 18:00 (28 h), 2.1 MB",
    "4 saves, 2.3 MB, last changed Fri 21:40 (80 min)",
    "what is there is newer than the backup",
  ]);
});
