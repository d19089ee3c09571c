import type { RestorePoint } from "./points.ts";

export interface RetentionPolicy {
  /** So many of the newest. At least 1. */
  keep: number;
  /** And the newest of each of so many days, weeks (from Monday) and months, in UTC. */
  keepDaily?: number;
  keepWeekly?: number;
  keepMonthly?: number;
}

/**
 * Picks the restore points that may be deleted; deletes nothing.
 * Only good points count towards what is kept: a file without a manifest, or a damaged one, pushes out nothing.
 * Such a point expires itself once enough newer points are there. Pinned points neither count nor expire.
 * @param points Oldest first, as `listPoints` gives them.
 * @returns Expired points, oldest first; never the newest good one, and none at all while there is no good one.
 * @throws {RangeError} If `keep` is not at least 1.
 */
export function selectExpired<P extends Pick<RestorePoint, "good" | "pinned" | "takenAtMs">>(
  points: readonly P[],
  policy: RetentionPolicy,
): P[] {
  const { keep } = policy;
  if (!(Number.isInteger(keep) && keep >= 1))
    throw new RangeError(`Cannot pick restore points: keep must be >= 1, is ${keep}`);
  const counted = points.filter((point) => !point.pinned);
  const good = counted.filter((point) => point.good);
  if (good.length === 0) return [];
  const kept = new Set<P>(good.slice(-keep));
  for (const [count, periodOf] of [
    [policy.keepDaily, dayOf],
    [policy.keepWeekly, weekOf],
    [policy.keepMonthly, monthOf],
  ] as const) {
    for (const point of newestOfEach(good, count ?? 0, periodOf)) kept.add(point);
  }
  return counted.filter((point, index) => {
    if (point.good) return !kept.has(point);
    return counted.length - 1 - index >= keep && counted.slice(index + 1).some((newer) => newer.good);
  });
}

function newestOfEach<P extends { takenAtMs: number }>(
  points: readonly P[],
  count: number,
  periodOf: (ms: number) => string,
): P[] {
  const newest = new Map<string, P>();
  for (const point of points.toReversed()) {
    const period = periodOf(point.takenAtMs);
    if (!newest.has(period)) newest.set(period, point);
  }
  return [...newest.values()].slice(0, count);
}

const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
const monthOf = (ms: number) => new Date(ms).toISOString().slice(0, 7);
/** Days since Thursday 1970-01-01, shifted so that weeks begin on Monday. */
const weekOf = (ms: number) => String(Math.floor((ms / 86_400_000 + 3) / 7));
