import { Failure } from "../failures.ts";
import { parsePointId } from "../nas/naming.ts";
import type { RestorePoint } from "../nas/points.ts";

type Point = Pick<RestorePoint, "id" | "takenAtMs" | "files" | "good">;

/**
 * The restore point that `AT=` means.
 * @param at An id ("20251219-180000"), a file's name from the list, a moment with offset ("2025-12-19T18:00:00Z"), or a
 *   local time: "2025-12-19 18:00", "2025-12-19" (its end), "18:00" (the last one), "Thu 18:00", "yesterday 18:00".
 *   A time means the newest point at or before it, its last second or minute included. Absent or "latest": the
 *   newest point that is good, as the list shows it; when none is, the newest.
 * @param points Oldest first.
 * @param timeZone IANA name, for local times.
 * @throws {Failure} `not_found` when there is no such point, `invalid_request` when `at` cannot be read or the zone is none.
 */
export function resolveAt<P extends Point>(
  at: string | undefined,
  points: readonly P[],
  timeZone: string,
  nowMs: number,
): P {
  if (points.length === 0) throw new Failure("not_found", "Cannot restore: there is no backup");
  const wanted = at?.trim() ?? "latest";
  if (wanted === "latest") return points.findLast((point) => point.good) ?? (points.at(-1) as P);
  const named = points.find(({ id, files }) => id === wanted || files.some(({ name }) => name === wanted));
  if (named) return named;
  if (parsePointId(wanted) !== undefined || /\.(zip|gz|db|tgz)$/.test(wanted)) {
    throw new Failure("not_found", `Cannot find the restore point "${wanted}": there is none of this name`, {
      hint: "make list-<app> shows those that there are.",
    });
  }
  const moment = parseMoment(wanted, timeZone, nowMs);
  const before = points.filter(({ takenAtMs }) => takenAtMs <= moment).toSorted((a, b) => a.takenAtMs - b.takenAtMs);
  const found = before.at(-1);
  if (found) return found;
  const oldest = Math.min(...points.map(({ takenAtMs }) => takenAtMs));
  throw new Failure(
    "not_found",
    `Cannot go back to ${new Date(moment).toISOString()}: the oldest restore point is of ${new Date(oldest).toISOString()}`,
  );
}

const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/** @returns ms since the epoch. */
function parseMoment(text: string, timeZone: string, nowMs: number): number {
  const unreadable = (why: string) =>
    new Failure("invalid_request", `Cannot read AT="${text}": ${why}`, {
      hint: 'Give a name from make list-<app>, or a time such as "2025-12-19 18:00", "Thu 18:00", "yesterday 18:00", "18:00".',
    });
  // Date takes a 30 February for a day in March.
  const [date = ""] = /^\d{4}-\d\d-\d\d/.exec(text) ?? [];
  if (date !== "" && !isDate(date)) throw unreadable("there is no such day");
  if (/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/i.test(text)) {
    const ms = Date.parse(text.replace(" ", "T"));
    if (Number.isNaN(ms)) throw unreadable("there is no such moment");
    return ms;
  }
  let toLocal: ReturnType<typeof zone>;
  try {
    toLocal = zone(timeZone);
  } catch (cause) {
    throw new Failure("invalid_request", `Cannot read AT="${text}": "${timeZone}" is no time zone`, { cause });
  }
  const local = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d{1,2}):(\d\d)(?::(\d\d))?)?$/.exec(text);
  if (local) {
    const [year, month, day, hour, minute, second] = local
      .slice(1)
      .map((part) => (part === undefined ? undefined : Number(part)));
    const wall = Date.UTC(year as number, (month as number) - 1, day, hour ?? 23, minute ?? 59, second ?? 59);
    if ((hour ?? 0) > 23 || (minute ?? 0) > 59 || (second ?? 0) > 59) throw unreadable("there is no such moment");
    return fromWall(wall, toLocal) + 999;
  }
  const spoken = /^(?:([a-z]+)\s+)?(\d{1,2}):(\d\d)$/i.exec(text);
  if (!spoken) throw unreadable("it is neither a name from the list nor a time");
  const [, dayName, hour, minute] = spoken;
  if (Number(hour) > 23 || Number(minute) > 59) throw unreadable("there is no such time of day");
  const today = Math.floor(toLocal(nowMs) / dayMs) * dayMs;
  const timeOfDay = (Number(hour) * 60 + Number(minute)) * 60_000;
  // To the end of that minute: a list that shows 18:00 may mean 18:00:07.
  const on = (daysBack: number) => fromWall(today - daysBack * dayMs + timeOfDay, toLocal) + 59_999;
  const past = (moment: number) => moment - 59_999 <= nowMs;
  if (dayName === undefined) return past(on(0)) ? on(0) : on(1);
  const name = dayName.toLowerCase();
  if (name === "today") return on(0);
  if (name === "yesterday") return on(1);
  const weekday = weekdays.findIndex(
    (short) => name.length >= 3 && (name === short || fullName(short).startsWith(name)),
  );
  if (weekday < 0) throw unreadable(`"${dayName}" is no day of the week`);
  const back = (new Date(today).getUTCDay() - weekday + 7) % 7;
  return past(on(back)) ? on(back) : on(back + 7);
}

function isDate(date: string): boolean {
  const ms = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date);
}

const fullName = (short: string) =>
  ({ sun: "sunday", mon: "monday", tue: "tuesday", wed: "wednesday", thu: "thursday", fri: "friday", sat: "saturday" })[
    short
  ] ?? short;

const dayMs = 86_400_000;

/** The wall clock of a zone, as ms of a UTC day that shows the same digits. */
function zone(timeZone: string): (ms: number) => number {
  const format = new Intl.DateTimeFormat("en-US-u-hc-h23", {
    timeZone, year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric", era: "short",
  }); // biome-ignore format: one line reads better
  return (ms) => {
    const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(
      parts.year as number,
      (parts.month as number) - 1,
      parts.day,
      parts.hour,
      parts.minute,
      parts.second,
    );
  };
}

/**
 * The moment at which a wall clock shows this. An hour that comes twice means its second coming (so that "at or before"
 * reaches all that was made in it); one that is skipped is read by the clock from before the gap (02:30 is then 03:30).
 */
function fromWall(wall: number, toLocal: (ms: number) => number): number {
  const candidates = [-dayMs, 0, dayMs].map((shift) => wall - (toLocal(wall + shift) - (wall + shift)));
  const exact = candidates.filter((ms) => toLocal(ms) === wall);
  return exact.length > 0 ? Math.max(...exact) : Math.max(...candidates);
}
