import type { Outcome, RunView } from "../../shared/run/report.ts";
import { type Clock, count, formatAge, formatBytes, formatDuration } from "../../shared/words.ts";
import { formatWhen } from "./format.ts";

/** "Factorio", or "Factorio (second-world)" where an app's name is not its type's. */
export const labelOf = ({ app, type, title }: { app: string; type: string; title: string }) =>
  app === type ? title : `${title} (${app})`;

/**
 * What a run did, for people: words before numbers.
 * "Factorio  created  2.1 MB in 0.4 s  sha256 3f9a41c2…  → factorio/backups/history/factorio-20251219-180000.zip"
 */
export function describeOutcome(label: string, outcome: Outcome, clock: Clock): string[] {
  const { point, durationMs, failure } = outcome;
  const { hint } = failure ?? outcome.drill?.hindrance ?? {};
  const sizeBytes = point?.files.reduce((sum, file) => sum + file.sizeBytes, 0) ?? 0;
  const size = point ? formatBytes(sizeBytes) : "";
  const took = `in ${formatDuration(durationMs)}`;
  const sums = point?.files.map(({ sha256 }) => `sha256 ${sha256.slice(0, 8)}…`).join(", ") ?? "";
  const names = point?.files.map(({ name }) => placeOf(outcome.app, name)).join(", ") ?? "";
  const when = point ? whenAndAge(point.takenAt, clock) : "";

  const details = (): string[] => {
    switch (outcome.outcome) {
      case "created":
        return [`${size} ${took}`.trim(), grewBy(sizeBytes, outcome.previousSizeBytes), sums, names && `→ ${names}`];
      case "unchanged":
        return [took, point ? `since ${when}` : "", size, sums];
      case "restored":
        return [
          `${size} ${took}`.trim(),
          point ? `from ${when}` : "",
          sums,
          outcome.restoredTo ? `→ ${outcome.restoredTo}` : "",
        ];
      default:
        return [failure ? failure.message : withoutTitle(outcome), took];
    }
  };
  return [
    [label, outcome.outcome, ...details()].filter(Boolean).join("  "),
    ...(hint ? [`  ${hint}`] : []),
    ...(outcome.mended ?? []).map((text) => `  put in order: ${text}`),
    ...outcome.warnings.map((text) => `  warning: ${text}`),
    ...(outcome.removed?.length && outcome.outcome !== "cleaned"
      ? [`  removed, as the retention says: ${outcome.removed.join(", ")}`]
      : []),
  ];
}

/** Where a file of the outcome is on the NAS: in the history, unless it says itself. */
const placeOf = (app: string, name: string) => (name.includes("/") ? name : `${app}/backups/history/${name}`);

/** The message speaks for itself elsewhere; here the label stands before it. */
const withoutTitle = ({ message, title }: Outcome) =>
  message.startsWith(`${title}: `) ? message.slice(title.length + 2) : message;

const grewBy = (now: number, before: number | undefined) =>
  before === undefined || before === now ? "" : `${now > before ? "+" : "-"}${formatBytes(Math.abs(now - before))}`;

/** "Thu 18:00 (28 h)" */
export const whenAndAge = (at: string, clock: Clock) =>
  `${formatWhen(Date.parse(at), clock)} (${formatAge(clock.nowMs - Date.parse(at))})`;

/** A drill that could not tell has not ended well: nothing was proven. */
const bad = new Set<string>(["refused", "failed", "cancelled", "interrupted", "inconclusive"]);
export const endedWell = ({ status }: Pick<RunView, "status">) => status !== "running" && !bad.has(status);

/** "3 apps: 2 created, 1 failed (postgresql)" */
export function summarise(ends: readonly { app: string; end: string }[]): string {
  const groups = [...Map.groupBy(ends, ({ end }) => end)].map(([end, group]) => {
    const who =
      bad.has(end) || end === "kept" || end === "skipped" ? ` (${group.map(({ app }) => app).join(", ")})` : "";
    return `${group.length} ${end}${who}`;
  });
  return `${count(ends.length, "app")}: ${groups.join(", ")}`;
}
