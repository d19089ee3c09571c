import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextRun, parseSchedule } from "./schedule.ts";

const hourMs = 3_600_000;
const next = (schedule: string, after: string) => new Date(nextRun(schedule, Date.parse(after))).toISOString();

/** The next `count` runs after a moment. */
function runs(schedule: string, afterMs: number, count: number): number[] {
  const parsed = parseSchedule(schedule);
  const found: number[] = [];
  for (let at = parsed.next(afterMs); found.length < count && at < Infinity; at = parsed.next(at)) found.push(at);
  return found;
}

describe("parseSchedule()", () => {
  test.each([
    ["CRON_TZ=UTC 0 */6 * * *", "2026-03-01T05:59:59.999Z", "2026-03-01T06:00:00.000Z"],
    ["CRON_TZ=UTC 0 */6 * * *", "2026-03-01T06:00:00.000Z", "2026-03-01T12:00:00.000Z"],
    ["TZ=UTC 0 3 * * ?", "2026-03-01T03:00:00.500Z", "2026-03-02T03:00:00.000Z"],
    ["TZ= 0 3 * * *", "2026-03-01T00:00:00Z", "2026-03-01T03:00:00.000Z"],
    ["CRON_TZ=UTC 0 9 * * MON-FRI", "2026-03-06T10:00:00Z", "2026-03-09T09:00:00.000Z"],
    ["CRON_TZ=UTC 0 9 * jan,Dec *", "2026-03-06T10:00:00Z", "2026-12-01T09:00:00.000Z"],
    ["CRON_TZ=UTC 20/15 * * * *", "2026-03-01T00:36:00Z", "2026-03-01T00:50:00.000Z"],
    ["CRON_TZ=UTC 1,,5 * * * *", "2026-03-01T00:02:00Z", "2026-03-01T00:05:00.000Z"],
    ["CRON_TZ=UTC @hourly", "2026-03-01T00:00:00Z", "2026-03-01T01:00:00.000Z"],
    ["CRON_TZ=UTC @midnight", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00.000Z"],
    ["CRON_TZ=UTC @daily", "2026-03-01T01:00:00Z", "2026-03-02T00:00:00.000Z"],
    ["CRON_TZ=UTC @weekly", "2026-03-01T00:00:00Z", "2026-03-08T00:00:00.000Z"],
    ["CRON_TZ=UTC @monthly", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00.000Z"],
    ["CRON_TZ=UTC @yearly", "2026-03-01T00:00:00Z", "2027-01-01T00:00:00.000Z"],
    ["CRON_TZ=UTC @annually", "2026-03-01T00:00:00Z", "2027-01-01T00:00:00.000Z"],
    ["@every 5m", "2026-03-01T00:01:02.700Z", "2026-03-01T00:06:02.000Z"],
    ["CRON_TZ=Asia/Tokyo @every 1h30m", "2026-03-01T00:00:00Z", "2026-03-01T01:30:00.000Z"],
    ["@every 1.5h", "2026-03-01T00:00:00Z", "2026-03-01T01:30:00.000Z"],
    ["@every 1ms", "2026-03-01T00:00:00Z", "2026-03-01T00:00:01.000Z"],
    ["CRON_TZ=Asia/Kolkata 0 3 * * *", "2026-03-01T00:00:00Z", "2026-03-01T21:30:00.000Z"],
  ])('reads "%s"', (schedule, after, expected) => {
    expect(next(schedule, after)).toBe(expected);
  });

  test("needs one of day of month and day of week when both restrict, and both when one is free", () => {
    // The first, or a Monday; 2026-06-01 is both.
    expect(
      runs("CRON_TZ=UTC 0 0 1 * 1", Date.parse("2026-05-24T12:00Z"), 4).map((at) => new Date(at).getUTCDate()),
    ).toEqual([25, 1, 8, 15]);
    expect(next("CRON_TZ=UTC 0 0 13 * *", "2026-05-14T00:00Z")).toBe("2026-06-13T00:00:00.000Z");
    expect(next("CRON_TZ=UTC 0 0 ? * 5", "2026-05-23T00:00Z")).toBe("2026-05-29T00:00:00.000Z");
    // A step restricts, so a Sunday or an odd day is enough.
    expect(next("CRON_TZ=UTC 0 0 */2 * 0", "2026-05-23T12:00Z")).toBe("2026-05-24T00:00:00.000Z");
  });

  test("knows that 30 February never comes", () => {
    expect(nextRun("CRON_TZ=UTC 0 0 30 2 *", 0)).toBe(Infinity);
  });

  test("takes local time without a zone", () => {
    const at = new Date(nextRun("30 4 * * *", Date.parse("2026-03-01T00:00Z")));
    expect([at.getHours(), at.getMinutes()]).toEqual([4, 30]);
    expect(nextRun("CRON_TZ=Local 30 4 * * *", Date.parse("2026-03-01T00:00Z"))).toBe(at.getTime());
  });

  test.each([
    "", "* * * *", "0 0 3 * * *", "@reboot", "@Daily", "@every", "@every 5", "@every -5m", "@every 5m5", "0 0 * * 7",
    "0 0 * * 1-7", "0 0 L * *", "0 0 * * 5L", "0 0 15W * *", "0 0 * * 5#2", "0 0 1 * +MON", "60 * * * *", "* 24 * * *",
    "* * 0 * *", "* * * 13 *", "*/0 * * * *", "5-1 * * * *", "1-2-3 * * * *", "1/2/3 * * * *", "MON * * * *", ", * * * *",
    "1.5 * * * *", "-1 * * * *", "CRON_TZ=Mars/Olympus 0 0 * * *", "CRON_TZ=+02:00 0 0 * * *",
    "CRON_TZ=europe/berlin 0 0 * * *", "CRON_TZ=UTC", "2026-03-01T00:00:00",
  ])('refuses "%s"', (schedule) => {
    expect(() => parseSchedule(schedule)).toThrow(expect.objectContaining({ code: "invalid_config" }));
    expect(() => parseSchedule(schedule)).toThrow(`Cannot read the schedule "${schedule}": `);
  }); // biome-ignore format: one line reads better
});

// The expectations of robfig/cron's own spec_test.go.
describe("nextRun() at a change of the clock does as robfig/cron does", () => {
  test.each([
    ["an hourly job goes on over the skipped hour", "0 * * * *", "2012-03-11T01:00-05:00", "2012-03-11T03:00-04:00"],
    ["a job at 1:00 is not touched by it", "0 1 * * *", "2012-03-11T01:00-05:00", "2012-03-12T01:00-04:00"],
    ["a job in the skipped hour waits a day", "0 2 * * *", "2012-03-11T00:00-05:00", "2012-03-12T02:00-04:00"],
    ["one on that date waits a year", "30 2 11 Mar ?", "2012-03-11T00:00-05:00", "2013-03-11T02:30-04:00"],
    ["a job in the repeated hour runs", "0 1 * * *", "2012-11-04T00:00-04:00", "2012-11-04T01:00-04:00"],
    ["and runs again", "0 1 * * *", "2012-11-04T01:00-04:00", "2012-11-04T01:00-05:00"],
    ["and then on the next day", "0 1 * * *", "2012-11-04T01:00-05:00", "2012-11-05T01:00-05:00"],
    ["from within the repeated hour", "30 1 04 Nov ?", "2012-11-04T01:45-04:00", "2012-11-04T01:30-05:00"],
    ["an hourly job runs in both hours", "0 * * * *", "2012-11-04T01:00-04:00", "2012-11-04T01:00-05:00"],
    ["a job after it runs once", "0 3 * * *", "2012-11-04T03:00-05:00", "2012-11-05T03:00-05:00"],
  ])("%s", (_, schedule, after, expected) => {
    expect(nextRun(`CRON_TZ=America/New_York ${schedule}`, Date.parse(after))).toBe(Date.parse(expected));
  });
});

const zones = [
  "Europe/Berlin", "Europe/London", "America/New_York", "America/Havana", "America/Sao_Paulo", "Africa/Casablanca",
  "Africa/Cairo", "Asia/Beirut", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham", "Europe/Dublin",
]; // biome-ignore format: one line reads better

const formats = new Map<string, Intl.DateTimeFormat>();
/** How far the local time of a zone is ahead of UTC, in ms. */
function offset(zone: string, at: number): number {
  const format = formats.get(zone) ?? new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "longOffset" });
  formats.set(zone, format);
  const [, sign, hours, minutes] = /GMT(?:([+-])(\d+):(\d+))?/.exec(format.format(at)) ?? [];
  return (sign === "-" ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000;
}

/** Every change of a zone's clock between 2005 and 2030. */
function transitions(zone: string): number[] {
  const found: number[] = [];
  const stepMs = 24 * hourMs;
  for (let at = Date.UTC(2005, 0, 1); at < Date.UTC(2030, 0, 1); at += stepMs) {
    if (offset(zone, at) === offset(zone, at + stepMs)) continue;
    let [low, high] = [at, at + stepMs];
    while (high - low > 60_000) {
      const middle = low + Math.floor((high - low) / 120_000) * 60_000;
      if (offset(zone, middle) === offset(zone, low)) low = middle;
      else high = middle;
    }
    found.push(high);
  }
  return found;
}

const changes = zones.flatMap((zone) => transitions(zone).map((at) => ({ zone, at })));
const change = fc.constantFrom(...changes);
const time = fc.record({ minute: fc.integer({ min: 0, max: 59 }), hour: fc.integer({ min: 0, max: 23 }) });

// vatesfr/xen-orchestra#4024, cronie-crond/cronie#124, duplicati#1364: at a change of the clock a nightly job ran
// twice, an hour of jobs was left out, a schedule moved.
test("nextRun() in UTC, the default, runs a daily slot once every day whatever clocks change anywhere", () => {
  fc.assert(
    fc.property(change, time, ({ at }, { minute, hour }) => {
      const found = runs(`CRON_TZ=UTC ${minute} ${hour} * * *`, at - 3 * 24 * hourMs, 6);
      expect(found.slice(1).map((run, index) => run - (found[index] as number))).toEqual(Array(5).fill(24 * hourMs));
    }),
  );
});

test("nextRun() runs at every moment whose local time matches, and at no other, around every change of a clock", () => {
  const hours = fc.uniqueArray(fc.integer({ min: 0, max: 23 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(change, fc.integer({ min: 0, max: 59 }), hours, ({ zone, at }, minute, wanted) => {
      const [from, to] = [at - 25 * hourMs, at + 25 * hourMs];
      const [before, after] = [offset(zone, at - 1), offset(zone, at)];
      const expected: number[] = [];
      for (let moment = from + 60_000; moment < to; moment += 60_000) {
        const local = new Date(moment + (moment < at ? before : after));
        if (local.getUTCMinutes() === minute && wanted.includes(local.getUTCHours())) expected.push(moment);
      }
      const schedule = `CRON_TZ=${zone} ${minute} ${wanted.join(",")} * * *`;
      const found = runs(schedule, from, expected.length + 1);
      expect(found.slice(0, -1)).toEqual(expected);
      expect(found.at(-1)).toBeGreaterThanOrEqual(to);
    }),
    { numRuns: 300 },
  );
});

test("nextRun() always moves on", () => {
  fc.assert(
    fc.property(change, time, fc.integer({ min: -48 * hourMs, max: 48 * hourMs }), ({ zone, at }, slot, shift) => {
      expect(nextRun(`CRON_TZ=${zone} ${slot.minute} ${slot.hour} * * *`, at + shift)).toBeGreaterThan(at + shift);
    }),
  );
});
