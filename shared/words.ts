/*
 * Numbers and times as people read them. Sizes are decimal, as the Finder shows them. Times are in the reader's
 * zone; what a script needs is in the JSON of the functions.
 */

/** 2_100_000 → "2.1 MB" */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = Math.max(0, bytes);
  let unit = 0;
  // 999.95 would be printed as 1000.0
  while (value >= (unit === 0 ? 1000 : 999.95) && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** How long something took or takes: 420 → "0.4 s", 185_000 → "3 min 5 s", 4_320_000 → "1 h 12 min" */
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

/**
 * How long ago, in one number: "5 min", "28 h", "3 days". Under a minute it is "moments"; a time to come, which a
 * NAS with a wrong clock makes, is told as one.
 */
export function formatAge(ms: number): string {
  if (ms < -60_000) return `${formatAge(-ms)} ahead`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return "moments";
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 72 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

/** [1 app, 2 apps] */
export const count = (n: number, one: string) => `${n} ${n === 1 ? one : `${one}s`}`;

export interface Clock {
  readonly nowMs: number;
  /** IANA name. */
  readonly timeZone: string;
}

/** To make one takes longer than to format a hundred times with it. */
const formats = new Map<string, Intl.DateTimeFormat>();

/** A moment in a time zone: "Thu", "2025-12-18", "18:00:05", "GMT+1". */
export function partsIn(ms: number, timeZone: string): { weekday: string; date: string; time: string; zone: string } {
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
      second: "2-digit",
      timeZoneName: "short",
    });
    formats.set(timeZone, format);
  }
  const of = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value]));
  return {
    weekday: of.weekday ?? "",
    date: `${of.year}-${of.month}-${of.day}`,
    time: `${of.hour}:${of.minute}:${of.second}`,
    zone: of.timeZoneName ?? "",
  };
}

/** "Thu 2025-12-18 18:00:05 GMT+1" */
export function formatLocal(ms: number, timeZone: string): string {
  const { weekday, date, time, zone } = partsIn(ms, timeZone);
  return `${weekday} ${date} ${time} ${zone}`;
}
