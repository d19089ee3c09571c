import type { Plan } from "../../shared/run/report.ts";
import { type Clock, formatAge, formatBytes, formatLocal } from "../../shared/words.ts";
import { formatUtc } from "./format.ts";
import { whenAndAge } from "./outcome.ts";

export interface Decision {
  readonly action: "restore" | "keep" | "skip";
  readonly why: string;
}

/**
 * What restore-all does with one app. Data that is newer than the backup is kept unless the user named the app;
 * data that cannot be told to be newer is replaced, and set aside like all that a restore replaces.
 */
export function decideRestore(plan: Plan, named: boolean): Decision {
  if (!plan.point) return { action: "skip", why: "there is no backup" };
  if (!plan.present) return { action: "restore", why: "nothing is there" };
  if (!plan.present.newerThanPoint) return { action: "restore", why: "what is there is not newer" };
  return named
    ? { action: "restore", why: "what is there is newer, but was named" }
    : { action: "keep", why: "what is there is newer than the backup" };
}

/** One line of restore-all's plan. */
export function describeDecision(label: string, plan: Plan, { action, why }: Decision, clock: Clock): string[] {
  const point = plan.point ? `${whenAndAge(plan.point.takenAt, clock)}, ${formatBytes(plan.point.sizeBytes)}` : "-";
  return [label, action, point, plan.present ? describePresent(plan.present, clock) : "-", why];
}

/** What a restore puts in the place of what, in full. */
export function describePlan(label: string, plan: Plan, clock: Clock, to?: string): string[] {
  const { point, present, stopsApp } = plan;
  if (!point) return [`${label}: there is no backup to restore`];
  const takenAtMs = Date.parse(point.takenAt);
  const restored = [
    `${formatLocal(takenAtMs, clock.timeZone)} (${formatAge(clock.nowMs - takenAtMs)})`,
    formatUtc(takenAtMs),
    formatBytes(point.sizeBytes),
    point.verified ? "verified" : "NOT verified: made by another system, it has no checksums",
  ];
  const lines = [
    `${label}:`,
    `  restores  ${restored.join(", ")}`,
    `  from      ${point.from}${point.files.length > 1 ? ` (${point.files.join(", ")})` : ""}`,
  ];
  if (to !== undefined) return [...lines, `  into      ${to}, beside production, which is not touched`];
  return [
    ...lines,
    `  replaces  ${present ? describePresent(present, clock) : "nothing: nothing is there"}`,
    ...(present?.newerThanPoint ? ["            what is there is NEWER than the backup"] : []),
    `  the app   ${stopsApp ? "is stopped, and started again afterwards" : "keeps running"}`,
    ...(present ? ["  and       what is there now is set aside; undo-restore puts it back"] : []),
  ];
}

function describePresent({ label, sizeBytes, changedAt }: NonNullable<Plan["present"]>, clock: Clock): string {
  return [
    label,
    sizeBytes === undefined ? "" : formatBytes(sizeBytes),
    changedAt === undefined ? "" : `last changed ${whenAndAge(changedAt, clock)}`,
  ]
    .filter(Boolean)
    .join(", ");
}
