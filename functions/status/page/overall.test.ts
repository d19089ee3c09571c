import { expect, test } from "vitest";
import { app, before, condition, scenes, sixApps, view } from "./testing.ts";

const hour = 3_600_000;
const sentence = (name: string) => scenes[name]?.().overall;

test("overallOf() says how many apps are safe and how old the oldest of their backups is", () => {
  expect(sentence("all well")).toEqual({
    level: "safe",
    sentence: "All 6 apps are safe; the oldest of their last backups is 5 h old.",
  });
  expect(view({ apps: [app("factorio", "Factorio")] }).overall.sentence).toBe(
    "Factorio is safe; its last backup is 2 h old.",
  );
});

test("overallOf() names what is not safe, and why", () => {
  expect(sentence("late")).toEqual({
    level: "danger",
    sentence: "5 of 6 apps are safe; Factorio is not: its backup is late, the last good one is 14 h old.",
  });
  expect(sentence("failed")?.sentence).toBe(
    "4 of 6 apps are safe; not safe: Factorio (waits for you) and PostgreSQL (failed, last good one 35 h old).",
  );
  expect(sentence("never run")?.sentence).toBe("Factorio is not safe: it has no backup yet.");
});

test("overallOf() counts the apps that it does not name", () => {
  const late = (each: ReturnType<typeof app>) => ({ ...each, state: "late" as const, lateSince: before(hour) });
  const { sentence } = view({ apps: sixApps().map(late) }).overall;
  expect(sentence).toMatch(/^None of the 6 apps is safe; not safe: 7 Days to Die \(late, .* and 3 more\.$/);
});

test("overallOf() does not call an app safe whose newest backup is damaged, nor one that runs again after a failure", () => {
  const [first, second] = sixApps();
  const damaged = { ...first!, points: first!.points.map((point) => ({ ...point, damaged: "sha256 differs" })) };
  const again = { ...second!, state: "running" as const, failedInARow: 1 };
  expect(view({ apps: [damaged, again] }).overall.sentence).toBe(
    "None of the 2 apps is safe; not safe: 7 Days to Die (newest backup damaged) and Factorio (failed, last good one 2 h old).",
  );
});

test("overallOf() does not call a paused app late", () => {
  const paused = app("factorio", "Factorio", { state: "paused", lateSince: before(hour), pausedUntil: before(-hour) });
  expect(view({ apps: [paused] }).overall.level).toBe("safe");
});

test("overallOf() speaks of the NAS alone while it is away: everything else follows from that", () => {
  expect(sentence("NAS away")).toEqual({
    level: "danger",
    sentence: "The NAS has been away for 48 h: nothing is backed up, and the newest backup is 50 h old.",
  });
});

test("overallOf() does not count the first minute", () => {
  const { sentence } = view({ nas: { reachable: false, since: before(20_000) } }).overall;
  expect(sentence).toBe("The NAS is away: nothing is backed up, and the newest backup is 2 h old.");
});

test("overallOf() asks for a look where backups are good but something else is not", () => {
  expect(sentence("twelve apps")).toEqual({
    level: "attention",
    sentence: "11 of 12 apps are safe; valheim has not answered for 50 min.",
  });
  const message = "The NAS is nearly full.";
  expect(view({ conditions: [condition({ id: "disk", severity: "warning", message })] }).overall).toEqual({
    level: "attention",
    sentence: "All 6 apps are safe, but one thing needs a look: the NAS is nearly full.",
  });
  expect(view({ conditions: [condition({ id: "disk", severity: "info", message })] }).overall.level).toBe("safe");
  const { connected: _, ...events } = view().events;
  expect(view({ events: { ...events, connected: false, since: before(3 * hour) } }).overall.sentence).toBe(
    "All 6 apps are safe, but news of them waits: NATS has been away for 3 h.",
  );
  expect(view({ events: { ...view().events, undelivered: { sdtd: 2 } } }).overall.sentence).toBe(
    "All 6 apps are safe, but 2 outcomes could not be told to anybody yet.",
  );
  expect(view({ notify: { parked: 1 } }).overall.sentence).toBe(
    "All 6 apps are safe, but 1 message could not be delivered.",
  );
  expect(sentence("nothing set up")).toEqual({
    level: "attention",
    sentence: "No app is set up yet, so nothing is backed up.",
  });
});
