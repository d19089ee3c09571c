import { type Clock, formatAge, partsIn } from "../../../shared/words.ts";

/* Times on the page, in the reader's zone, and lists in words. */

/** " for 28 h"; nothing while it is not even a minute. */
export const formatFor = (ms: number) => (ms < 60_000 ? "" : ` for ${formatAge(ms)}`);

/** "a", "a and b", "a, b and c" */
export function listed(items: readonly string[]): string {
  const [last, ...before] = items.toReversed();
  return before.length === 0 ? (last ?? "") : `${before.toReversed().join(", ")} and ${last}`;
}

/** A moment near now by its weekday, "Thu 18:00"; one further than six days away by its date, "2025-12-18 18:00". */
export function formatWhen(at: string, { nowMs, timeZone }: Clock): string {
  const ms = Date.parse(at);
  const { weekday, date, time } = partsIn(ms, timeZone);
  return `${Math.abs(nowMs - ms) < 6 * 86_400_000 ? weekday : date} ${time.slice(0, 5)}`;
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
