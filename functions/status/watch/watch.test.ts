import { afterEach, expect, test } from "vitest";
import { leastWorkUs } from "../../../shared/testing.ts";
import { dayMs, FakeHouse, hourMs, minuteMs } from "./testing.ts";

let house: FakeHouse;
afterEach(() => house.watch.stop());

/** A house whose watch has looked once, right after its apps were backed up. */
async function lived(now = "2026-03-01T06:00:00Z", options: ConstructorParameters<typeof FakeHouse>[1] = {}) {
  house = new FakeHouse(now, options);
  for (const [name, { ends }] of house.apps) if (ends !== "never") house.end(name, "backup", "created");
  house.watch.start();
  await house.watch.round();
  return house;
}
const one = { apps: ["factorio"] };
const startsOf = (operation: string) => house.started.filter((run) => run.operation === operation);

test("round() tells nothing, starts nothing, and knows all apps as well while everything runs in time", async () => {
  await lived();
  await house.pass(3 * dayMs);
  expect([house.told(), startsOf("backup"), house.conditions()]).toEqual([[], [], []]);
  const view = house.watch.view();
  expect(view.apps.map(({ state }) => state)).toEqual(Array(6).fill("ok"));
  expect(view.overall.level).toBe("safe");
  expect(view.apps[0]).toMatchObject({ schedule: "every 6 hours", nextRunAt: "2026-03-04T12:00:00.000Z" });
  expect(view.apps[0]?.days.slice(-5).map(({ state, runs }) => [state, runs])).toEqual([
    ["none", 0], ["ok", 3], ["ok", 4], ["ok", 4], ["ok", 2],
  ]); // biome-ignore format: a table
});

test("round() reports a backup that did not run once, runs it, and reports that it has recovered", async () => {
  await lived(undefined, one);
  house.cronDead = true;
  await house.pass(6 * hourMs);
  expect(house.told()).toEqual([]);
  await house.pass(30 * minuteMs);
  expect(house.told()).toEqual(["late late:factorio"]);
  expect(house.started).toEqual([
    { name: "backup-factorio", operation: "backup", app: "factorio", at: "2026-03-01T12:30:00.000Z", token: false },
  ]);
  await house.pass(5 * hourMs);
  expect(house.told()).toEqual(["late late:factorio", "recovered late:factorio"]);
  expect(startsOf("backup")).toHaveLength(1);
  expect(house.watch.view().apps[0]?.days.at(-1)?.state).toBe("late");
});

test("round() tries a backup that comes to nothing again with a back-off, and tells of it once", async () => {
  await lived(undefined, one);
  house.app("factorio").ends = "never";
  await house.pass(24 * hourMs);
  expect(house.told()).toEqual(["late late:factorio"]);
  expect(startsOf("backup").map(({ at }) => at.slice(11, 16))).toEqual([
    "12:30", "12:45", "13:15", "14:15", "16:15", "20:15", "02:15",
  ]); // biome-ignore format: one line reads better
  expect(house.watch.view().apps[0]).toMatchObject({ state: "late", lateSince: "2026-03-01T12:00:00.000Z" });
});

test("round() goes on trying while a late backup fails, and calls it recovered only when one is good", async () => {
  await lived(undefined, one);
  Object.assign(house.app("factorio"), { ends: "failed", code: "source_unreachable" });
  house.cronDead = true;
  await house.pass(9 * hourMs);
  expect(house.told()).toEqual(["late late:factorio", "raised failing:factorio"]);
  Object.assign(house.app("factorio"), { ends: "created", code: undefined });
  house.cronDead = false;
  await house.pass(4 * hourMs);
  expect(house.told().slice(2)).toEqual(["recovered late:factorio", "recovered failing:factorio"]);
});

test("round() tells one lateness for each app after a week of sleep, not one for each backup that was missed", async () => {
  await lived();
  house.sleep(7 * dayMs);
  for (const app of house.apps.values()) app.ends = "never";
  await house.pass(hourMs);
  expect(house.told().toSorted()).toEqual([...house.apps.keys()].map((app) => `late late:${app}`).toSorted());
  const message = house.watch.view().conditions.find(({ app }) => app === "sdtd")?.message;
  expect(message).toBe(
    "sdtd: the backup that was due at 2026-03-01 12:00 has not run, nor have the 27 after it; the last good one is 7 days old.",
  );
});

test("round() bears a clock that jumps ahead and back: nobody is told twice, nothing waits for a time far away", async () => {
  await lived(undefined, one);
  house.sleep(400 * dayMs);
  await house.watch.round();
  expect(house.told()).toEqual(["late late:factorio"]);
  house.nowMs -= 400 * dayMs;
  house.sleep(0);
  await house.watch.round();
  await house.pass(2 * dayMs);
  expect(house.told().slice(1)).toEqual(["recovered late:factorio"]);
  // And a clock that is late by a day catches up.
  house.cronDead = true;
  await house.pass(6 * hourMs + 45 * minuteMs);
  expect(house.told().slice(2)).toEqual(["late late:factorio", "recovered late:factorio"]);
});

test("round() does not blame a house that was just set up, nor a schedule that was just changed", async () => {
  house = new FakeHouse("2026-03-01T11:59:00Z", one);
  house.cronDead = true;
  house.watch.start();
  await house.watch.round();
  expect(house.watch.view().apps[0]).toMatchObject({ state: "never", points: [] });
  await house.pass(minuteMs);
  house.end("factorio", "backup", "created");
  house.app("factorio").schedule = "CRON_TZ=UTC 0 3 * * *";
  await house.pass(2 * hourMs);
  house.app("factorio").schedule = "CRON_TZ=UTC 0 * * * *";
  await house.pass(hourMs + 15 * minuteMs);
  expect(house.told()).toEqual([]);
});

test("round() tells that the NAS is away once, every day what is missing, and that it is back; then it makes up for it", async () => {
  await lived();
  house.nasAway = true;
  await house.pass(minuteMs, minuteMs);
  expect(house.told()).toEqual([]);
  await house.pass(2 * dayMs + hourMs);
  expect(house.told()).toEqual(["raised nas:away", "raised nas:away", "raised nas:away"]);
  const last = house.nats.stored.at(-1)?.event;
  expect(last).toMatchObject({
    id: "nas:away@2026-03-01T06:01:00.000Z.again-2",
    data: { message: "The NAS has been away since Sun 06:01; backups are missing." },
  });
  expect(last?.data.details).toContain("sdtd: 7 backups, of which the first was due at Sun 12:00");
  expect(house.watch.view().overall.level).toBe("danger");
  house.nasAway = false;
  await house.pass(15 * minuteMs);
  expect(house.told().slice(3)).toEqual(["recovered nas:away"]);
  expect(startsOf("backup").map(({ app }) => app)).toEqual([...house.apps.keys()]);
  await house.pass(dayMs);
  expect(house.told()).toHaveLength(4);
  expect(house.watch.view().apps.map(({ state }) => state)).toEqual(Array(6).fill("ok"));
});

test("round() of a watch that is restarted while the NAS is away knows what it knew, and tells nothing twice", async () => {
  await lived();
  house.nasAway = true;
  await house.pass(2 * hourMs);
  await house.watch.stop();
  house.newWatch().start();
  await house.watch.round();
  await house.pass(2 * hourMs);
  expect(house.told()).toEqual(["raised nas:away"]);
  const view = house.watch.view();
  expect(view.nas).toMatchObject({ reachable: false, since: "2026-03-01T06:15:00.000Z", freeBytes: 5e12 });
  expect(view.apps[0]).toMatchObject({
    state: "away",
    sentence: "Nothing can be backed up or restored while the NAS is away; its last backup is 4 h old.",
    points: [{ id: "20260301-060000" }],
  });
  house.nasAway = false;
  await house.pass(hourMs);
  expect(house.told()).toEqual(["raised nas:away", "recovered nas:away"]);
});

test("round() tells notify itself while NATS is away, and NATS the same events when it is back", async () => {
  await lived(undefined, one);
  house.nats.isAway = true;
  house.cronDead = true;
  await house.pass(7 * hourMs);
  const ids = house.handedIn.map(({ id }) => id);
  expect(ids).toEqual([
    "nats:away@2026-03-01T06:15:00.000Z.raised",
    "late:factorio@2026-03-01T12:00:00.000Z.raised",
    "late:factorio@2026-03-01T12:00:00.000Z.recovered",
  ]);
  expect(house.watch.view().events).toMatchObject({ connected: false, undelivered: { factorio: 1 } });
  house.nats.isAway = false;
  await house.pass(15 * minuteMs);
  expect(house.nats.stored.map(({ event }) => event.id).filter((id) => ids.includes(id))).toEqual(ids);
  expect(startsOf("flush")).toMatchObject([{ name: "backup-factorio", token: true }]);
});

test("round() works without NATS and without a function at the start, and knows all as soon as they are there", async () => {
  house = new FakeHouse("2026-03-01T06:00:00Z", one);
  house.nats.isAway = true;
  house.silent.add("backup-factorio").add("notify");
  house.watch.start();
  await house.watch.round();
  await house.pass(30 * minuteMs);
  expect(house.conditions()).toEqual(expect.arrayContaining(["silent:backup-factorio", "silent:notify", "nats:away"]));
  expect(house.watch.view().apps[0]).toMatchObject({ state: "unknown", unknownSince: "2026-03-01T06:00:00.000Z" });
  house.silent.clear();
  await house.pass(15 * minuteMs);
  expect(house.handedIn.map(({ data }) => "condition" in data && data.condition).toSorted()).toEqual([
    "nats:away", "silent:backup-factorio", "silent:backup-factorio", "silent:notify", "silent:notify",
  ]); // biome-ignore format: one line reads better
});

test("round() tells notify directly where there is no NATS at all", async () => {
  await lived(undefined, { ...one, nats: false });
  house.cronDead = true;
  await house.pass(7 * hourMs);
  expect(house.handedIn.map(({ subject }) => subject)).toEqual(["backups.late", "backups.recovered"]);
  expect(house.conditions()).toEqual([]);
});

test("round() makes one message of functions that are all silent, and one of a function alone", async () => {
  await lived();
  house.silent.add("backup-ollama");
  await house.pass(30 * minuteMs);
  for (const app of house.apps.keys()) house.silent.add(`backup-${app}`);
  await house.pass(30 * minuteMs);
  house.silent.clear();
  await house.pass(30 * minuteMs);
  expect(house.told()).toEqual([
    "raised silent:backup-ollama",
    "raised gateway:silent",
    "recovered gateway:silent",
    "recovered silent:backup-ollama",
  ]);
});

test("round() tells of what comes and goes the less often the more often it does", async () => {
  await lived(undefined, one);
  for (let time = 0; time < 24; time++) {
    house.nasAway = true;
    await house.pass(5 * minuteMs, minuteMs);
    house.nasAway = false;
    await house.pass(5 * minuteMs, minuteMs);
  }
  await house.pass(8 * hourMs);
  const told = house.told();
  expect(told.length).toBeLessThanOrEqual(6);
  expect(told.at(-1)).toBe("recovered nas:away");
});

test("round() calls nothing late and starts nothing in a pause, nor because of it when it is over", async () => {
  await lived(undefined, { ...one, settings: { scrubHours: 24, drillDays: 7 } });
  const before = house.started.length;
  house.app("factorio").view.pausedUntil = "2026-03-03T17:00:00Z";
  house.cronDead = true;
  await house.pass(2 * dayMs + 10 * hourMs);
  expect(house.started.length).toBe(before);
  expect(house.watch.view().apps[0]).toMatchObject({ state: "paused", pausedUntil: "2026-03-03T17:00:00Z" });
  house.cronDead = false;
  await house.pass(hourMs + 15 * minuteMs);
  await house.pass(6 * hourMs);
  expect([house.told(), startsOf("backup")]).toEqual([[], []]);
  expect(house.watch.view().apps[0]?.days.at(-2)?.state).toBe("paused");
});

test("round() raises each of the other conditions once, and reports its end", async () => {
  await lived(undefined, one);
  const { view } = house.app("factorio");
  const cases: [string, () => void, () => void, number?][] = [
    ["waiting:factorio", () => Object.assign(view, { waiting: "another map" }), () => delete view.waiting],
    ["retention:factorio", () => Object.assign(view, { expired: 2 }), () => Object.assign(view, { expired: 0 }), 25],
    ["damaged:factorio", () => Object.assign(view.points[0] ?? {}, { damaged: { at: "", why: "rotten" } }), () => delete view.points[0]?.damaged],
    ["left:factorio", () => Object.assign(view, { left: ["it was stopped for a run"] }), () => delete view.left],
    ["stuck:factorio", () => Object.assign(view, { running: { runId: "r", operation: "restore", startedBy: "me", startedAt: "2026-02-27T06:00:00Z" } }), () => delete view.running],
    ["nas:space", () => Object.assign(house.space, { freeBytes: 0.7e12 }), () => Object.assign(house.space, { freeBytes: 1e12 })],
    ["notify:parked", () => Object.assign(house.notify, { parked: [1] }), () => Object.assign(house.notify, { parked: [] })],
    ["notify:waiting", () => Object.assign(house.notify, { waiting: 1, oldestWaitingAt: "2026-02-28T06:00:00Z" }), () => delete house.notify.oldestWaitingAt],
    ["undelivered", () => Object.assign(view, { waitingOutcomes: 3 }), () => Object.assign(view, { waitingOutcomes: 0 }), 2],
    ["drill-failed:factorio", () => void house.end("factorio", "drill", "failed"), () => void house.end("factorio", "drill", "proven")],
    ["drill-open:factorio", () => void house.end("factorio", "drill", "inconclusive"), () => void house.end("factorio", "drill", "proven")],
    ["schedule:factorio", () => Object.assign(house.app("factorio"), { schedule: "@reboot" }), () => Object.assign(house.app("factorio"), { schedule: "CRON_TZ=UTC 0 */6 * * *" })],
  ]; // biome-ignore format: a table
  for (const [id, begin, end, hours = 1] of cases) {
    const before = house.told().length;
    begin();
    await house.pass(hours * hourMs);
    expect(house.conditions(), id).toContain(id);
    end();
    await house.pass(hourMs);
    const told = house
      .told()
      .slice(before)
      .filter((one) => one.endsWith(id));
    expect(told, id).toEqual([`raised ${id}`, `recovered ${id}`]);
    expect(house.conditions(), id).toEqual([]);
  }
});

test("round() raises it when backups run and nothing is saved, when nothing is read back, and when no drill runs", async () => {
  const cases: [string, object, (house: FakeHouse) => void, (house: FakeHouse) => void, number][] = [
    ["old:factorio", {}, (house) => Object.assign(house.app("factorio"), { ends: "postponed" }), (house) => Object.assign(house.app("factorio"), { ends: "created" }), 2],
    ["scrub-overdue:factorio", { scrubHours: 24 }, (house) => Object.assign(house, { checks: {} }) && Object.assign(house.app("factorio"), { ends: "unchanged" }), (house) => Object.assign(house.app("factorio").view.points[0] ?? {}, { scrubbedAt: new Date(house.nowMs).toISOString() }), 15],
    ["drill-overdue:factorio", { drillDays: 7 }, (house) => Object.assign(house, { checks: {} }), (house) => void house.end("factorio", "drill", "proven"), 16],
  ]; // biome-ignore format: a table
  for (const [id, settings, begin, end, days] of cases) {
    await lived(undefined, { ...one, settings });
    begin(house);
    await house.pass(days * dayMs, hourMs);
    expect(house.conditions(), id).toContain(id);
    end(house);
    await house.pass(7 * hourMs, hourMs);
    expect(house.conditions(), id).not.toContain(id);
    expect(house.told().filter((told) => told.endsWith(id)), id).toEqual([`raised ${id}`, `recovered ${id}`]); // biome-ignore format: one line reads better
    await house.watch.stop();
  }
});

test("round() tells how far a run in progress has come", async () => {
  await lived(undefined, one);
  const running = { runId: "r", operation: "backup", startedBy: "me", startedAt: "2026-03-01T05:59:00Z" };
  house.app("factorio").view.running = running;
  house.progress.set("r", { type: "progress", at: "2026-03-01T06:00:00Z", phase: "copying", doneBytes: 1, totalBytes: 4 }); // biome-ignore format: one line reads better
  await house.watch.round();
  expect(house.watch.view().apps[0]?.running).toMatchObject({
    runId: "r",
    phase: "copying",
    doneBytes: 1,
    totalBytes: 4,
  });
});

test("round() has what killed runs left put right by a run with the token, again only after a while", async () => {
  await lived(undefined, one);
  house.app("factorio").view.left = ["run backup-1 was killed before its end"];
  await house.pass(2 * hourMs);
  expect(startsOf("flush").map(({ at, token }) => [at.slice(11, 16), token])).toEqual([
    ["06:15", true], ["06:30", true], ["07:00", true], ["08:00", true],
  ]); // biome-ignore format: one line reads better
});

test("round() starts the cleanup whose wake-up was lost, and no other", async () => {
  await lived(undefined, { apps: ["mapshot"] });
  house.end("mapshot", "cleanup", "cleaned");
  await house.pass(5 * hourMs);
  expect(startsOf("cleanup")).toEqual([]);
  await house.pass(2 * hourMs);
  expect(startsOf("cleanup")).toMatchObject([{ name: "cleanup-mapshot", token: false }]);
});

test("round() starts scrubs daily and drills weekly, of every app, one at a time, on its own", async () => {
  await lived(undefined, { settings: { scrubHours: 24, drillDays: 7 } });
  await house.pass(14 * dayMs + 12 * hourMs, 30 * minuteMs);
  const times = new Map<string, number>();
  for (const { operation, app, at, token } of [...startsOf("scrub"), ...startsOf("drill")]) {
    expect(token).toBe(false);
    times.set(`${operation} ${app}`, (times.get(`${operation} ${app}`) ?? 0) + 1);
    expect(house.started.filter((run) => run.operation === operation && run.at === at)).toHaveLength(1);
  }
  expect(Object.fromEntries(times)).toEqual(
    Object.fromEntries([...house.apps.keys()].flatMap((app) => [[`scrub ${app}`, 14], [`drill ${app}`, 3]])),
  ); // biome-ignore format: as short as it is
  const drills = startsOf("drill").map(({ at }) => Date.parse(at));
  for (const [index, at] of drills.slice(1).entries())
    expect(at - (drills[index] as number)).toBeGreaterThanOrEqual(hourMs);
});

test("round() tries a drill that could not tell again after a day", async () => {
  await lived(undefined, { ...one, settings: { drillDays: 7 } });
  house.checks.drill = "inconclusive";
  await house.pass(2 * dayMs, hourMs);
  house.checks.drill = "proven";
  await house.pass(9 * dayMs, hourMs);
  expect(startsOf("drill").map(({ at }) => at.slice(0, 10))).toEqual([
    "2026-03-01", "2026-03-02", "2026-03-03", "2026-03-10",
  ]); // biome-ignore format: one line reads better
});

test("round() sends one digest a day at the user's time, summer and winter, also to who slept through it", async () => {
  await lived("2026-03-27T06:00:00Z", { ...one, timeZone: "Europe/Berlin", settings: { digestAt: "08:00" } });
  house.nats.stored.length = 0;
  await house.pass(4 * dayMs);
  house.sleep(dayMs + 9 * hourMs);
  await house.watch.round();
  const digests = house.nats.stored.filter(({ event }) => event.subject === "backups.digest");
  expect(digests.map(({ event }) => `${event.id} ${event.time.slice(11, 16)}`)).toEqual([
    "digest-2026-03-27 07:00",
    "digest-2026-03-28 07:00",
    "digest-2026-03-29 06:00",
    "digest-2026-03-30 06:00",
    "digest-2026-03-31 06:00",
    "digest-2026-04-01 15:00",
  ]);
  expect(digests[1]?.event.data).toMatchObject({
    condition: "digest",
    severity: "info",
    details: ["factorio: last good 60 min ago, 4 new, 5 restore points", "NAS: 5.0 TB of 8.0 TB free"],
  });
});

test("round() sends no digest of the day on which it was set up, once the digest's time has passed", async () => {
  await lived("2026-03-27T09:30:00Z", { ...one, timeZone: "UTC", settings: { digestAt: "08:00" } });
  await house.pass(dayMs);
  const digests = house.nats.stored.filter(({ event }) => event.subject === "backups.digest");
  expect(digests.map(({ event }) => event.id)).toEqual(["digest-2026-03-28"]);
});

test("view() takes less than 100 ms of processor time, page and all, with 6 apps and 1,000 runs", async () => {
  await lived();
  for (let run = 0; run < 170; run++) {
    house.nowMs += 4 * hourMs;
    for (const name of house.apps.keys()) house.end(name, "backup", run % 3 === 0 ? "created" : "unchanged");
  }
  await house.watch.round();
  const { statusFetch } = await import("../function.ts");
  const page = () => statusFetch(house.watch)(new Request("http://status/", { headers: { accept: "text/html" } }));
  const text = await (await page()).text();
  expect(text).toContain("Last runs");
  expect(house.watch.view().runs).toHaveLength(1000);
  expect(await leastWorkUs(async () => (await page()).text()), "microseconds").toBeLessThan(100_000);
});
