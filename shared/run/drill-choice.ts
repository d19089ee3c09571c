import type { RestorePoint } from "../nas/points.ts";
import { type DrillMemory, stampOf } from "./drill-state.ts";

/**
 * Whose turn it is: the newest good point every other time, between them the older one that was drilled longest ago.
 * @param points Oldest first. Without a good one among them, all count.
 * @returns undefined when there is none.
 */
export function nextPoint(points: readonly RestorePoint[], { drills, points: known }: DrillMemory) {
  const good = points.filter((point) => point.good);
  const candidates = good.length > 0 ? good : points;
  const older = candidates.slice(0, -1);
  if (drills % 2 === 0 || older.length === 0) return candidates.at(-1);
  const drilledAt = (point: RestorePoint) => {
    const entry = known[point.id];
    return entry?.stamp === stampOf(point) ? Date.parse(entry.at) : 0;
  };
  return older.toSorted((a, b) => drilledAt(a) - drilledAt(b))[0];
}
