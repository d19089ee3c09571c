import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseSchedule } from "../../../shared/stack/schedule.ts";
import { lateness, type Span } from "./late.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const graceMs = 30 * minuteMs;

function late(
  line: string,
  now: string,
  ends: (string | undefined)[],
  more: { excused?: Span[]; fromMs?: number; graceMs?: number } = {},
) {
  const found = lateness({
    schedule: parseSchedule(line),
    nowMs: Date.parse(now),
    graceMs,
    fromMs: 0,
    excused: [],
    attempts: ends.map((end) => (end === undefined ? {} : { endedMs: Date.parse(end) })),
    ...more,
  });
  return found && [new Date(found.sinceMs).toISOString().slice(0, 16), found.missed];
}
const six = "CRON_TZ=UTC 0 */6 * * *";
const nightly = "CRON_TZ=Europe/Berlin 0 3 * * *";

describe("lateness()", () => {
  test("calls a backup late once its time and the grace are over, and not before", () => {
    expect(late(six, "2026-03-01T12:29:59Z", ["2026-03-01T06:02:00Z"])).toBeUndefined();
    expect(late(six, "2026-03-01T12:30:00Z", ["2026-03-01T06:02:00Z"])).toEqual(["2026-03-01T12:00", 1]);
    expect(late(six, "2026-03-01T12:30:00Z", ["2026-03-01T12:00:07Z"])).toBeUndefined();
  });

  test("takes a run that is at work, or that ended after the time, as the one that was due", () => {
    expect(late(six, "2026-03-02T13:00:00Z", ["2026-03-01T06:02:00Z", undefined])).toBeUndefined();
    expect(late(six, "2026-03-01T13:00:00Z", ["2026-03-01T12:00:01Z"])).toBeUndefined();
  });

  test("finds one lateness after a week of sleep, since the first run that was missed", () => {
    expect(late(six, "2026-03-08T09:00:00Z", ["2026-03-01T06:02:00Z"])).toEqual(["2026-03-01T12:00", 28]);
  });

  test("blames nobody for what was due before the watch began, or in a pause", () => {
    expect(late(six, "2026-03-01T13:00:00Z", [], { fromMs: Date.parse("2026-03-01T12:10:00Z") })).toBeUndefined();
    expect(late(six, "2026-03-01T19:00:00Z", [], { fromMs: Date.parse("2026-03-01T12:10:00Z") })).toEqual([
      "2026-03-01T18:00",
      1,
    ]);
    const pause = { fromMs: Date.parse("2026-03-01T11:00Z"), untilMs: Date.parse("2026-03-01T13:00Z") };
    expect(late(six, "2026-03-01T17:00:00Z", ["2026-03-01T06:02:00Z"], { excused: [pause] })).toBeUndefined();
    expect(late(six, "2026-03-01T18:30:00Z", ["2026-03-01T06:02:00Z"], { excused: [pause] })).toEqual([
      "2026-03-01T18:00",
      1,
    ]);
  });

  test("believes no run that ended in the future: the clock was wrong then, and a backup more harms nobody", () => {
    expect(late(six, "2026-03-01T13:00:00Z", ["2026-03-01T06:02:00Z", "2027-01-01T00:00:00Z"])).toEqual([
      "2026-03-01T12:00",
      1,
    ]);
  });

  test("finds nothing when the clock is set back to before the last run", () => {
    expect(late(six, "2026-02-20T13:00:00Z", ["2026-02-20T12:00:30Z"])).toBeUndefined();
    expect(late(six, "2026-03-01T06:00:00Z", ["2026-03-01T06:05:00Z"])).toBeUndefined();
  });

  // The clocks of Berlin go from 2 to 3 on 2026-03-29, and from 3 to 2 on 2026-10-25.
  test.each([
    ["a time that the clock skips is not due", "CRON_TZ=Europe/Berlin 30 2 * * *", "2026-03-29T12:00Z", "2026-03-28T01:31Z", undefined],
    ["the day after it is", "CRON_TZ=Europe/Berlin 30 2 * * *", "2026-03-30T01:00Z", "2026-03-28T01:31Z", ["2026-03-30T00:30", 1]],
    ["03:00 in summer is 01:00 UTC", nightly, "2026-03-29T01:30Z", "2026-03-28T02:01Z", ["2026-03-29T01:00", 1]],
    ["03:00 in winter is 02:00 UTC", nightly, "2026-10-25T02:29Z", "2026-10-24T01:01Z", undefined],
    ["and late half an hour after that", nightly, "2026-10-25T02:30Z", "2026-10-24T01:01Z", ["2026-10-25T02:00", 1]],
    ["a time that comes twice is due twice", "CRON_TZ=Europe/Berlin 30 2 * * *", "2026-10-25T02:00Z", "2026-10-25T00:31Z", ["2026-10-25T01:30", 1]],
  ])("in Berlin: %s", (_, line, now, end, expected) => {
    expect(late(line, now, [end])).toEqual(expected);
  }); // biome-ignore format: a table

  test('counts "@every" from the last run', () => {
    expect(late("@every 2h", "2026-03-01T08:29:00Z", ["2026-03-01T06:00:00Z"])).toBeUndefined();
    expect(late("@every 2h", "2026-03-01T08:30:00Z", ["2026-03-01T06:00:00Z"])).toEqual(["2026-03-01T08:00", 1]);
  });
});

const zone = fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata");
const line = fc.oneof(
  fc
    .record({ zone, minute: fc.nat(59), every: fc.constantFrom(2, 3, 4, 6, 12) })
    .map(({ zone, minute, every }) => `CRON_TZ=${zone} ${minute} */${every} * * *`),
  fc
    .record({ zone, minute: fc.nat(59), hour: fc.nat(23) })
    .map(({ zone, minute, hour }) => `CRON_TZ=${zone} ${minute} ${hour} * * *`),
);
/** A moment of 2026, and around the changes of clocks more often. */
const start = fc.oneof(
  fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2026, 11, 1) }),
  fc.constantFrom("2026-03-28", "2026-10-24", "2026-03-07", "2026-10-31", "2026-04-04").map((day) => Date.parse(day)),
);
/** How long after its time each run begins, and how long it takes. */
const delays = fc.array(fc.record({ afterMs: fc.nat(graceMs), tookMs: fc.nat(20 * minuteMs), missed: fc.boolean() }), {
  minLength: 5,
  maxLength: 12,
});

/** The runs that a schedule asks for, each with what came of it. */
function story(line: string, startMs: number, plan: readonly { afterMs: number; tookMs: number; missed: boolean }[]) {
  const schedule = parseSchedule(line);
  let due = startMs;
  const runs = plan.map((one) => {
    due = schedule.next(due);
    return { ...one, dueMs: due, endedMs: due + one.afterMs + one.tookMs };
  });
  return { schedule, runs, fromMs: startMs, excused: [], graceMs };
}

test("lateness() is never found at any look while every run ran in time", () => {
  fc.assert(
    fc.property(line, start, delays, fc.integer({ min: 1, max: 60 }), (line, startMs, plan, stepMinutes) => {
      const { runs, ...rest } = story(line, startMs, plan);
      const endMs = (runs.at(-1)?.dueMs ?? 0) + hourMs;
      for (let nowMs = startMs; nowMs < endMs; nowMs += stepMinutes * 7 * minuteMs) {
        const attempts = runs
          .filter(({ dueMs, afterMs }) => dueMs + afterMs <= nowMs)
          .map(({ endedMs }) => (endedMs > nowMs ? {} : { endedMs }));
        expect(lateness({ ...rest, nowMs, attempts })).toBeUndefined();
      }
    }),
    { numRuns: 60 },
  );
});

test("lateness() is always found, once its grace is over, when a run was missed, since that run's time", () => {
  fc.assert(
    fc.property(line, start, delays, (line, startMs, plan) => {
      const { runs, ...rest } = story(line, startMs, plan);
      for (const [index, { missed, dueMs }] of runs.entries()) {
        if (!missed) continue;
        const before = runs.slice(0, index);
        const attempts = before.filter((run) => !run.missed && run.endedMs < dueMs);
        const covered = Math.max(startMs, ...attempts.map(({ endedMs }) => endedMs));
        const expected = runs.find((run) => run.dueMs > covered)?.dueMs;
        expect(lateness({ ...rest, nowMs: dueMs + graceMs, attempts })?.sinceMs).toBe(expected);
        expect(expected).toBeLessThanOrEqual(dueMs);
      }
    }),
    { numRuns: 100 },
  );
});
