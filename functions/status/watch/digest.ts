import { type ConditionEvent, digestEvent } from "../../../events/event.ts";
import { count, formatAge, formatBytes } from "../../../shared/words.ts";
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
  const { day, time } = localTime(nowMs, timeZone);
  // A day that lies ahead is that of a clock that was wrong.
  return time >= at && day !== lastDay ? day : undefined;
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
      ...provenWords(app, nowMs),
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

function provenWords({ points }: StatusView["apps"][number], nowMs: number): string[] {
  const proven = points.flatMap(({ proven }) => (proven ? [Date.parse(proven.at)] : []));
  if (proven.length === 0) return [];
  return [`proven restorable ${formatAge(nowMs - Math.max(...proven))} ago`];
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** "2026-01-31" and "08:00". */
export function localTime(ms: number, timeZone: string): { day: string; time: string } {
  let format = formats.get(timeZone);
  if (!format) {
    const fields = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" } as const;
    format = new Intl.DateTimeFormat("sv-SE", { timeZone, ...fields, hourCycle: "h23" });
    formats.set(timeZone, format);
  }
  const [day = "", time = ""] = format.format(ms).split(" ");
  return { day, time };
}
