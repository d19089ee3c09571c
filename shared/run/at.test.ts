import fc from "fast-check";
import { expect, test } from "vitest";
import { pointIdOf } from "../nas/naming.ts";
import { resolveAt } from "./at.ts";

const berlin = "Europe/Berlin";
/** A Saturday, 13:30 in Berlin. */
const now = Date.parse("2025-12-20T12:30:00Z");

const pointAt = (takenAtMs: number, good = true) => {
  const id = pointIdOf(takenAtMs);
  return {
    id,
    takenAtMs,
    good,
    files: [{ kind: "box", name: `box-${id}.box`, path: "", sizeBytes: 1, pinned: false }],
  };
};
const pointsAt = (...moments: string[]) => moments.map((moment) => pointAt(Date.parse(moment)));

const week = pointsAt(
  "2025-12-11T17:00:00Z", "2025-12-18T16:59:00Z", "2025-12-18T17:00:07Z", "2025-12-18T23:30:00Z",
  "2025-12-19T05:00:00Z", "2025-12-19T17:00:00Z", "2025-12-20T11:00:00Z",
); // biome-ignore format: a table

const idAt = (at: string | undefined, points = week, timeZone = berlin, nowMs = now) =>
  resolveAt(at, points, timeZone, nowMs).id;

test("resolveAt() reads each way to say a moment, in the caller's time zone", () => {
  for (const [at, id] of [
    ["Thu 18:00", "20251218-170007"], // its minute included
    ["thursday 18:00", "20251218-170007"],
    ["THURS 17:59", "20251218-165900"],
    ["Fri 00:30", "20251218-233000"],
    ["Fri 00:29", "20251218-170007"],
    ["Sat 12:00", "20251220-110000"],
    ["Sat 13:31", "20251211-170000"], // today it has not been yet: a week ago
    ["yesterday 18:00", "20251219-170000"],
    ["Yesterday 17:59", "20251219-050000"],
    ["today 12:00", "20251220-110000"],
    ["today 11:59", "20251219-170000"],
    ["12:00", "20251220-110000"],
    ["18:00", "20251219-170000"], // the last one
    ["6:00", "20251219-170000"],
    ["2025-12-18 17:59", "20251218-165900"],
    ["2025-12-18T17:59:00", "20251218-165900"],
    ["2025-12-18 17:58:59", "20251211-170000"],
    ["2025-12-18", "20251218-170007"], // its end
    ["2025-12-18T16:59:00Z", "20251218-165900"],
    ["2025-12-18 16:59Z", "20251218-165900"],
    ["2025-12-18T17:59:00+01:00", "20251218-165900"],
    ["2025-12-18T11:59:00.000-05:00", "20251218-165900"],
    [" 2099-01-01 ", "20251220-110000"],
  ] as const) expect(idAt(at), at).toBe(id); // biome-ignore format: a table
  expect(idAt("Thu 18:00", week, "America/New_York")).toBe("20251218-170007");
  expect(idAt("2025-12-18 12:00", week, "America/New_York")).toBe("20251218-170007");
});

test("resolveAt() takes an id and a file's name from the list, whatever the order of time", () => {
  for (const { id, files } of week) {
    expect(idAt(id)).toBe(id);
    expect(idAt(files[0]?.name)).toBe(id);
  }
});

test("resolveAt() finds every point by its id, and by its own moment the newest at or before it", () => {
  const seconds = fc.integer({ min: 0, max: 4_000_000_000 });
  fc.assert(
    fc.property(fc.uniqueArray(seconds, { minLength: 1, maxLength: 12 }), seconds, (moments, wanted) => {
      const points = moments.map((second) => pointAt(second * 1000));
      for (const point of points) {
        expect(resolveAt(point.id, points, "UTC", now)).toBe(point);
        expect(resolveAt(new Date(point.takenAtMs).toISOString(), points, "UTC", now)).toBe(point);
      }
      const before = moments.filter((second) => second <= wanted);
      const at = new Date(wanted * 1000).toISOString();
      if (before.length > 0) expect(resolveAt(at, points, "UTC", now).takenAtMs).toBe(Math.max(...before) * 1000);
      else expect(() => resolveAt(at, points, "UTC", now)).toThrow("oldest restore point");
    }),
  );
});

const zones = [berlin, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC"] as const;

/** What a clock on the wall shows, from another source than the code's: the "sv-SE" format is "2025-12-18 17:59:00". */
const wallClock = (timeZone: string) => {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
  return (ms: number) => format.format(ms);
};

test("resolveAt() finds every point by the local time that a list shows, over all changes of the clocks", () => {
  const clocks = new Map(zones.map((timeZone) => [timeZone, wallClock(timeZone)]));
  // Half of them within two days of a change of the clocks, all of them from 2012 on.
  const changes = [
    "2025-03-30T01:00Z",
    "2025-10-26T01:00Z",
    "2025-03-09T07:00Z",
    "2025-11-02T06:00Z",
    "2025-04-05T15:00Z",
    "2025-10-04T15:30Z",
  ];
  const near = fc
    .tuple(fc.constantFrom(...changes), fc.integer({ min: -172_800, max: 172_800 }))
    .map(([at, s]) => Date.parse(at) + s * 1000);
  const anywhere = fc.integer({ min: Date.UTC(2012) / 1000, max: Date.UTC(2037) / 1000 }).map((s) => s * 1000);
  const moment = fc.oneof(near, anywhere);
  fc.assert(
    fc.property(moment, fc.array(moment, { maxLength: 6 }), fc.constantFrom(...zones), (wanted, others, timeZone) => {
      const clock = clocks.get(timeZone) as (ms: number) => string;
      const points = [...new Set([wanted, ...others])].map((ms) => pointAt(ms));
      const found = resolveAt(clock(wanted), points, timeZone, now).takenAtMs;
      expect(found).toBeGreaterThanOrEqual(wanted);
      // Later than what was asked for only when an hour came twice, and the clock showed no more than this.
      expect(clock(found) <= clock(wanted)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test("resolveAt() takes an hour that comes twice for its second coming (a job ran twice at such an hour elsewhere)", () => {
  for (const [timeZone, at, ...moments] of [
    [berlin, "2025-10-26 02:30", "2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z", "2025-10-26T01:31:00Z"],
    ["America/New_York", "2025-11-02 01:30", "2025-11-02T05:30:00Z", "2025-11-02T06:30:00Z", "2025-11-02T06:31:00Z"],
    ["Australia/Lord_Howe", "2025-04-06 01:45", "2025-04-05T14:45:00Z", "2025-04-05T15:15:00Z", "2025-04-05T15:16:00Z"],
  ] as const) {
    const points = pointsAt(...moments);
    expect(resolveAt(at, points, timeZone, now), timeZone).toBe(points[1]);
    expect(resolveAt(at, points.slice(0, 1), timeZone, now), timeZone).toBe(points[0]);
  } // biome-ignore format: a table
});

test("resolveAt() takes an hour that is skipped for the one after it (the jobs of such an hour were skipped elsewhere)", () => {
  for (const [timeZone, at, ...moments] of [
    [berlin, "2025-03-30 02:30", "2025-03-30T00:59:59Z", "2025-03-30T01:30:00Z", "2025-03-30T01:31:00Z"],
    ["America/New_York", "2025-03-09 02:30", "2025-03-09T06:59:59Z", "2025-03-09T07:30:00Z", "2025-03-09T07:31:00Z"],
    ["Australia/Lord_Howe", "2025-10-05 02:15", "2025-10-04T15:29:59Z", "2025-10-04T15:45:00Z", "2025-10-04T15:46:00Z"],
  ] as const) {
    const points = pointsAt(...moments);
    expect(resolveAt(at, points, timeZone, now), timeZone).toBe(points[1]);
    expect(resolveAt(at, points.slice(0, 1), timeZone, now), timeZone).toBe(points[0]);
  } // biome-ignore format: a table
});

test("resolveAt() says days of the week over a change of the clocks", () => {
  const points = pointsAt("2025-10-25T16:00:00Z", "2025-10-26T17:00:00Z");
  const monday = Date.parse("2025-10-27T12:00:00Z");
  expect(idAt("Sat 18:00", points, berlin, monday)).toBe("20251025-160000");
  expect(idAt("yesterday 18:00", points, berlin, monday)).toBe("20251026-170000");
  expect(idAt("Sun 17:59", points, berlin, monday)).toBe("20251025-160000");
});

test("resolveAt() gives the newest good point when nothing is asked for, the last of all when none is good", () => {
  const [older, newer, damaged] = [pointAt(now - 3000), pointAt(now - 90_000), pointAt(now, false)];
  // By their order of making, whatever their clocks said.
  for (const at of [undefined, "latest", " latest "]) {
    expect(resolveAt(at, [older, newer, damaged], "UTC", now)).toBe(newer);
    expect(resolveAt(at, [damaged], "UTC", now)).toBe(damaged);
  }
  expect(resolveAt(damaged.id, [older, newer, damaged], "UTC", now)).toBe(damaged);
});

test("resolveAt() refuses dates and times that there are not", () => {
  for (const at of [
    "2025-02-30", "2025-02-29 12:00", "2025-13-05 12:00", "2025-00-10", "2025-12-00", "2025-11-31T18:00", "2025-12-18 24:00",
    "2025-12-18 17:60", "2025-12-18 17:59:60", "2025-02-30T18:00:00Z", "2025-13-01T18:00:00Z", "2025-12-18T25:00:00Z",
    "25:00", "Thu 24:00", "12:60",
  ]) {
    expect(() => idAt(at), at).toThrow(/Cannot read AT=".*there is no such/);
    expect(() => idAt(at), at).toThrow(expect.objectContaining({ code: "invalid_request" }));
  } // biome-ignore format: a table
});

test("resolveAt() refuses what is neither a name nor a time, and shows what would be one", () => {
  for (const at of [
    "",
    "  ",
    "soon",
    "Th 18:00",
    "Foo 18:00",
    "thursdays 18:00",
    "18",
    "18:0",
    "last week",
    "18/12/2025",
    "; rm -rf /",
  ]) {
    expect(() => idAt(at), at).toThrow(
      expect.objectContaining({ code: "invalid_request", hint: expect.stringContaining("Thu 18:00") }),
    );
  }
});

test("resolveAt() refuses a time zone that there is not, where one is needed", () => {
  expect(() => idAt("18:00", week, "Europe/Berln")).toThrow(expect.objectContaining({ code: "invalid_request" }));
  expect(idAt("2025-12-18T16:59:00Z", week, "Europe/Berln")).toBe("20251218-165900");
});

test("resolveAt() says when there is no such name, nothing that old, and nothing at all", () => {
  const notFound = expect.objectContaining({ code: "not_found" });
  for (const at of ["20251219-180001", "factorio-20200101-000000.zip", "2025-12-11 17:59:59", "2001-01-01"]) {
    expect(() => idAt(at), at).toThrow(notFound);
  }
  expect(() => idAt(undefined, [])).toThrow(notFound);
});
