/* Amounts, times and foreign texts in words for people. */

const units = ["bytes", "kB", "MB", "GB", "TB"] as const;

/** "8.1 MB": powers of 1000, as a Mac shows them. */
export function size(sizeBytes: number): string {
  let amount = sizeBytes;
  let unit = 0;
  while (amount >= 999.5 && unit < units.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return `${unit === 0 || amount >= 99.95 ? Math.round(amount) : amount.toFixed(1)} ${units[unit]}`;
}

/** "312 kB more than the last one" */
export function change(sizeBytes: number, previousBytes: number): string {
  const more = sizeBytes - previousBytes;
  if (more === 0) return "as much as the last one";
  return `${size(Math.abs(more))} ${more > 0 ? "more" : "less"} than the last one`;
}

/** "4 s", "2 min 5 s", "3 h 20 min", "2 days 4 h" */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${Number(seconds.toFixed(1))} s`;
  const two = (big: number, bigUnit: string, small: number, smallUnit: string) =>
    small === 0 ? `${big} ${bigUnit}` : `${big} ${bigUnit} ${small} ${smallUnit}`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return two(Math.floor(whole / 60), "min", whole % 60, "s");
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return two(Math.floor(minutes / 60), "h", minutes % 60, "min");
  const hours = Math.round(minutes / 60);
  return two(Math.floor(hours / 24), hours < 48 ? "day" : "days", hours % 24, "h");
}

/** "19 Dec 2025, 18:00" */
export function moment(at: string | number, timeZone: string): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone }).format(date);
}

export const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/**
 * A text that others made, fit for people: no stack trace, and nothing that looks like a password in an address or like
 * a bot's token, should one ever have come so far.
 */
export function clean(text: string): string {
  return text
    .split("\n")
    .filter((line) => !/^\s+at .*(?::\d+:\d+|<anonymous>|native)\)?$|^\s+at async |^Node\.js v\d/.test(line))
    .join("\n")
    .replaceAll(/(\w+:\/\/)[^\s/@]+@/g, "$1…@")
    .replaceAll(/\b\d{6,12}:[\w-]{30,}/g, "[token]")
    .replaceAll(/\n{2,}/g, "\n")
    .trim();
}
