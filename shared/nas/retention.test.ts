import fc from "fast-check";
import { expect, test } from "vitest";
import { selectExpired } from "./retention.ts";

interface Point {
  good: boolean;
  pinned: boolean;
  takenAtMs: number;
}

const day = 86_400_000;
const start = Date.UTC(2025, 0, 1);
const good = (days: number): Point => ({ good: true, pinned: false, takenAtMs: start + days * day });
const unverified = (days: number): Point => ({ ...good(days), good: false });
const pinned = (days: number): Point => ({ ...good(days), pinned: true });

/** Oldest first by their order of making, as `listPoints` gives them; their clocks may have been anywhere. */
const points = fc.array(
  fc.record({
    good: fc.boolean(),
    pinned: fc.boolean(),
    takenAtMs: fc.integer({ min: -1000, max: 20_000 }).map((hours) => start + hours * 3_600_000),
  }),
  { maxLength: 40 },
);
const keep = fc.integer({ min: 1, max: 10 });
const tiers = fc.record({ keepDaily: fc.nat(10), keepWeekly: fc.nat(10), keepMonthly: fc.nat(10) });

test("selectExpired() never picks the newest good point, whatever else there is and whatever the clocks said", () => {
  fc.assert(
    fc.property(points, keep, tiers, (all, count, more) => {
      const newest = all.findLast((point) => point.good && !point.pinned);
      expect(newest === undefined || !selectExpired(all, { keep: count, ...more }).includes(newest)).toBe(true);
    }),
  );
});

test("selectExpired() never picks a pinned point, nor lets one count", () => {
  fc.assert(
    fc.property(points, keep, (all, count) => {
      const expired = selectExpired(all, { keep: count });
      expect(expired.some((point) => point.pinned)).toBe(false);
      expect(
        selectExpired(
          all.filter((point) => !point.pinned),
          { keep: count },
        ),
      ).toEqual(expired);
    }),
  );
});

test("selectExpired() leaves exactly the newest `keep` good points when there are no tiers", () => {
  fc.assert(
    fc.property(points, keep, (all, count) => {
      const expired = new Set(selectExpired(all, { keep: count }));
      const counted = all.filter((point) => point.good && !point.pinned);
      expect(counted.filter((point) => !expired.has(point))).toEqual(counted.slice(-count));
    }),
  );
});

test("selectExpired() lets damaged and unknown files push out nothing good (planted files made a prune drop the real ones elsewhere)", () => {
  fc.assert(
    fc.property(points, keep, tiers, (all, count, more) => {
      const policy = { keep: count, ...more };
      const alone = selectExpired(
        all.filter((point) => point.good),
        policy,
      );
      expect(selectExpired(all, policy).filter((point) => point.good)).toEqual(alone);
    }),
  );
});

test("selectExpired() picks nothing at all while nothing is known to be good (a failed dump of 0 bytes cost a real backup elsewhere)", () => {
  fc.assert(
    fc.property(points, keep, (all, count) => {
      expect(
        selectExpired(
          all.map((point) => ({ ...point, good: false })),
          { keep: count },
        ),
      ).toEqual([]);
    }),
  );
});

test("selectExpired() picks an unverified point only once `keep` newer ones are there, one of them good", () => {
  fc.assert(
    fc.property(points, keep, (all, count) => {
      const counted = all.filter((point) => !point.pinned);
      for (const expired of selectExpired(all, { keep: count }).filter((point) => !point.good)) {
        const newer = counted.slice(counted.indexOf(expired) + 1);
        expect(newer.length).toBeGreaterThanOrEqual(count);
        expect(newer.some((point) => point.good)).toBe(true);
      }
    }),
  );
});

test("selectExpired() only adds to what is kept when a tier is added, keeps the order, and picks each point once", () => {
  fc.assert(
    fc.property(points, keep, tiers, (all, count, more) => {
      const withTiers = selectExpired(all, { keep: count, ...more });
      const without = new Set(selectExpired(all, { keep: count }));
      expect(withTiers.every((point) => without.has(point))).toBe(true);
      expect(all.filter((point) => withTiers.includes(point))).toEqual(withTiers);
    }),
  );
});

test("selectExpired() has nothing left to pick once it was obeyed", () => {
  fc.assert(
    fc.property(points, keep, tiers, (all, count, more) => {
      const policy = { keep: count, ...more };
      const expired = new Set(selectExpired(all, policy));
      expect(
        selectExpired(
          all.filter((point) => !expired.has(point)),
          policy,
        ).filter((point) => point.good),
      ).toEqual([]);
    }),
  );
});

test("selectExpired() keeps the newest after a long gap (an age-only policy removed all but the newest elsewhere)", () => {
  const beforeTheGap = [good(0), good(1), good(2)];
  const afterIt = good(700);
  expect(selectExpired([...beforeTheGap, afterIt], { keep: 5 })).toEqual([]);
  expect(selectExpired([...beforeTheGap, afterIt], { keep: 1, keepDaily: 2 })).toEqual(beforeTheGap.slice(0, 2));
});

test("selectExpired() goes by the order of making, not by clocks or names (a name order removed the newest elsewhere)", () => {
  const madeInTheFuture = good(3000);
  const last = good(5);
  expect(selectExpired([good(1), madeInTheFuture, good(4), last], { keep: 2 })).toEqual([good(1), madeInTheFuture]);
});

test("selectExpired() refuses a policy that keeps nothing (a typing error removed every snapshot elsewhere)", () => {
  for (const policy of [
    {},
    { keep: 0 },
    { keep: -1 },
    { keep: Number.NaN },
    { keep: 1.5 },
    { keep: "5" },
    { kepp: 5 },
  ]) {
    expect(() => selectExpired([good(1), good(2)], policy as never), JSON.stringify(policy)).toThrow(RangeError);
  }
});

test("selectExpired() lets the incumbent's files go one by one, as verified ones take their place", () => {
  const theirs = [0, 1, 2, 3, 4].map(unverified);
  expect(selectExpired(theirs, { keep: 5 })).toEqual([]);
  expect(selectExpired([...theirs, good(5)], { keep: 5 })).toEqual([theirs[0]]);
  expect(selectExpired([...theirs, good(5), good(6)], { keep: 5 })).toEqual([theirs[0], theirs[1]]);
});

test("selectExpired() keeps a pinned point besides `keep` others", () => {
  expect(selectExpired([pinned(0), good(1), good(2), good(3)], { keep: 2 })).toEqual([good(1)]);
});

test("selectExpired() keeps the newest of each day, week from Monday, and month", () => {
  const hourly = Array.from({ length: 24 * 70 }, (_, hour) => good(hour / 24));
  const kept = (policy: object) => {
    const expired = new Set(selectExpired(hourly, { keep: 1, ...policy }));
    return hourly
      .filter((point) => !expired.has(point))
      .map(({ takenAtMs }) => new Date(takenAtMs).toISOString().slice(0, 13));
  };
  // 2025-03-11 is a Tuesday, the last day of the 70.
  expect(kept({ keepDaily: 3 })).toEqual(["2025-03-09T23", "2025-03-10T23", "2025-03-11T23"]);
  expect(kept({ keepWeekly: 3 })).toEqual(["2025-03-02T23", "2025-03-09T23", "2025-03-11T23"]);
  expect(kept({ keepMonthly: 3 })).toEqual(["2025-01-31T23", "2025-02-28T23", "2025-03-11T23"]);
});
