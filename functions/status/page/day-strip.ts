import { html } from "hono/html";
import type { DayStatus } from "../view.ts";
import type { Html } from "./parts.ts";
import { days as dayWords } from "./states.ts";
import { count, formatDay, listed } from "./words.ts";

/** The days of which each one is named in the text beside the strip; of more, their number. */
const namedDays = 3;

/** One bar a day, nothing when no backup was due on any: height and pattern tell its state, colour repeats it, the line below says it in words. */
export function dayStrip(days: readonly DayStatus[]): Html {
  const [first] = days;
  if (!first || days.every(({ state }) => state === "none")) return html``;
  const bars = days.map(
    ({ date, state, runs }) =>
      html`<i class="day ${state}" title="${formatDay(date)}: ${dayWords[state]}${runs > 1 ? `, ${runs} backups` : ""}"></i>`,
  );
  const words = inWords(days);
  return html`<figure class="strip">
<div class="days" role="img" aria-label="The last ${days.length} days: ${words}">${bars}</div>
<figcaption><span>${formatDay(first.date)}</span><span class="words">${words}</span><span>Today</span></figcaption>
</figure>`;
}

/** "new on 24 days · unchanged on 5 · failed on Mon 3 Nov" */
function inWords(days: readonly DayStatus[]): string {
  return (["ok", "unchanged", "paused", "late", "failed"] as const)
    .flatMap((state) => {
      const when = days.filter((day) => day.state === state).map(({ date }) => date);
      if (when.length === 0) return [];
      const named = (state === "late" || state === "failed") && when.length <= namedDays;
      return [`${dayWords[state]} on ${named ? listed(when.map(formatDay)) : count(when.length, "day")}`];
    })
    .join(" · ");
}
