/*
 * Numbers and times as people read them, as in the project's other texts: sizes decimal, times in the reader's zone,
 * ages in one number.
 */

/** 2_100_000 → "2.1 MB" */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= (unit === 0 ? 1000 : 999.95) && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** 420 → "0.4 s", 185_000 → "3 min 5 s", 4_320_000 → "1 h 12 min" */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 0.095) return `${Math.max(seconds, 0.01).toFixed(2)} s`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return joined(Math.floor(whole / 60), "min", whole % 60, "s");
  const minutes = Math.round(seconds / 60);
  return joined(Math.floor(minutes / 60), "h", minutes % 60, "min");
}

const joined = (big: number, bigUnit: string, small: number, smallUnit: string) =>
  small === 0 ? `${big} ${bigUnit}` : `${big} ${bigUnit} ${small} ${smallUnit}`;

/** "moments", "5 min", "28 h", "3 days"; never negative. */
export function formatAge(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return "moments";
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 72 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

/** " for 28 h"; nothing while it is not even a minute. */
export const formatFor = (ms: number) => (ms < 60_000 ? "" : ` for ${formatAge(ms)}`);

/** [1 app, 2 apps] */
export const count = (n: number, one: string) => `${n} ${n === 1 ? one : `${one}s`}`;

/** "a", "a and b", "a, b and c" */
export function listed(items: readonly string[]): string {
  const [last, ...before] = items.toReversed();
  return before.length === 0 ? (last ?? "") : `${before.toReversed().join(", ")} and ${last}`;
}

export interface Clock {
  readonly nowMs: number;
  /** IANA name. */
  readonly timeZone: string;
}

/** A moment near now by its weekday, "Thu 18:00"; one further than six days away by its date, "2025-12-18 18:00". */
export function formatWhen(at: string, { nowMs, timeZone }: Clock): string {
  const ms = Date.parse(at);
  const { weekday, date, time } = partsIn(ms, timeZone);
  return `${Math.abs(nowMs - ms) < 6 * 86_400_000 ? weekday : date} ${time}`;
}

/** "2 h ago"; a moment to come: "in 2 h". */
export function formatAgo(at: string, { nowMs }: Clock): string {
  const ms = nowMs - Date.parse(at);
  return ms > -60_000 ? `${formatAge(ms)} ago` : `in ${formatAge(-ms)}`;
}

/** The day of a moment, "2026-01-31". */
export const dayOf = (at: string, { timeZone }: Clock) => partsIn(Date.parse(at), timeZone).date;

/** "2026-01-31" → "Sat 31 Jan" */
export function formatDay(date: string): string {
  return dayFormat.format(new Date(`${date}T12:00:00Z`)).replace(",", "");
}

const dayFormat = new Intl.DateTimeFormat("en-GB", {
  timeZone: "UTC",
  weekday: "short",
  day: "numeric",
  month: "short",
});

/** To make one takes longer than to format a hundred times with it. */
const formats = new Map<string, Intl.DateTimeFormat>();

function partsIn(ms: number, timeZone: string) {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", {
      timeZone,
      hourCycle: "h23",
      weekday: "short",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
    });
    formats.set(timeZone, format);
  }
  const of = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value]));
  return {
    weekday: of.weekday ?? "",
    date: `${of.year}-${of.month}-${of.day}`,
    time: `${of.hour}:${of.minute}`,
  };
}
