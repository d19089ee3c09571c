import { type ConditionEvent, digestEvent } from "../../../events/event.ts";
import { type Clock, count, formatAge, formatBytes, partsIn } from "../../../shared/words.ts";
import { formatWhen, listed } from "../page/words.ts";
import type { StatusView } from "../view.ts";

const dayMs = 86_400_000;

/**
 * The day whose digest is due: today, once the time has come, whenever the machine is awake then.
 * @param at "08:00", or "off".
 * @param lastDay The last one that has its digest, "2026-01-31".
 */
export function digestDay(
  at: string,
  timeZone: string,
  lastDay: string | undefined,
  nowMs: number,
): string | undefined {
  if (at === "off") return undefined;
  const { date: day, time } = partsIn(nowMs, timeZone);
  // A day that lies ahead is that of a clock that was wrong.
  return time.slice(0, 5) >= at && day !== lastDay ? day : undefined;
}

/** What has been since yesterday, and what is wrong now. */
export function digestOf(view: StatusView, day: string): ConditionEvent {
  const nowMs = Date.parse(view.madeAt);
  const recent = view.runs.filter(({ finishedAt }) => nowMs - Date.parse(finishedAt) < dayMs);
  const lines = view.apps.map((app) => {
    const own = recent.filter((run) => run.app === app.app && run.operation === "backup");
    const ended = (outcome: string) => own.filter((run) => run.outcome === outcome).length;
    const failed = own.length - ended("created") - ended("unchanged") - ended("postponed");
    const said = [
      ...(app.lastGood ? [`last good ${formatAge(nowMs - Date.parse(app.lastGood.at))} ago`] : ["no backup yet"]),
      ...(ended("created") > 0 ? [`${ended("created")} new`] : []),
      ...(ended("unchanged") > 0 ? [`${ended("unchanged")} unchanged`] : []),
      ...(failed > 0 ? [`${failed} failed`] : []),
      count(app.points.length, "restore point"),
      ...provenWords(app, { nowMs, timeZone: view.timeZone }),
    ];
    return `${app.title}: ${said.join(", ")}`;
  });
  const { freeBytes, totalBytes } = view.nas;
  const room =
    freeBytes === undefined || !totalBytes ? [] : [`NAS: ${formatBytes(freeBytes)} of ${formatBytes(totalBytes)} free`];
  const wrong = view.conditions.map(({ message }) => `Still so: ${message}`);
  const severity = { safe: "info", attention: "warning", danger: "problem" } as const;
  const data = {
    condition: "digest",
    message: view.overall.sentence,
    severity: severity[view.overall.level],
    since: view.madeAt,
    details: [...lines, ...room, ...wrong],
  };
  return digestEvent(data, { day, time: view.madeAt });
}

/** Each restore point that a drill has restored, and when. */
function provenWords({ points }: StatusView["apps"][number], clock: Clock): string[] {
  const proven = points.flatMap(({ takenAt, proven }) =>
    proven ? [`that of ${formatWhen(takenAt, clock)} at ${formatWhen(proven.at, clock)}`] : [],
  );
  return proven.length === 0 ? [] : [`proven restorable: ${listed(proven)}`];
}
