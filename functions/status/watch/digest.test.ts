import { expect, test } from "vitest";
import { app, nowMs, point, view } from "../page/testing.ts";
import { digestOf } from "./digest.ts";

const hour = 3_600_000;

test("digestOf() says of each restore point that was restored in a drill when that was", () => {
  const at = (ms: number) => new Date(nowMs - ms).toISOString();
  const proven = (ms: number) => ({ proven: { at: at(ms), tookMs: 1000, recoverySeconds: 1 } });
  const points = [
    point("factorio", 2 * hour, proven(hour)),
    point("factorio", 8 * hour),
    point("factorio", 14 * hour, proven(12 * hour)),
  ];
  const { data } = digestOf(view({ timeZone: "UTC", apps: [app("factorio", "Factorio", { points })] }), "2026-01-30");
  const time = (ms: number) =>
    `${new Intl.DateTimeFormat("en-GB", { weekday: "short", timeZone: "UTC" }).format(nowMs - ms)} ${at(ms).slice(11, 16)}`;
  expect(data.details?.[0]).toContain(
    `3 restore points, proven restorable: that of ${time(2 * hour)} at ${time(hour)} and that of ${time(14 * hour)} at ${time(12 * hour)}`,
  );
});
