import { html } from "hono/html";
import { count } from "../../../shared/words.ts";
import type { DayStatus } from "../view.ts";
import type { Html } from "./parts.ts";
import { days as dayWords } from "./states.ts";
import { formatDay, listed } from "./words.ts";

/** The days of which each one is named in the text over the strip; of more, their number. */
const namedDays = 3;

/** One bar a day, nothing when no backup was due on any: height and pattern tell its state, colour repeats it, the line above says it in words. */
export function dayStrip(days: readonly DayStatus[]): Html {
  const [first] = days;
  if (!first || days.every(({ state }) => state === "none")) return html``;
  const bars = days.map(
    ({ date, state, runs }) =>
      html`<i class="day ${state}" title="${formatDay(date)}: ${dayWords[state]}${runs > 1 ? `, ${runs} backups` : ""}"></i>`,
  );
  const bad = inWords(days, ["failed", "late"]);
  const rest = inWords(days, ["ok", "unchanged", "paused"]);
  const label = `The last ${days.length} days: ${[...bad, ...rest].join(" · ")}`;
  return html`<figure class="strip">
<figcaption>Last ${count(days.length, "day")}: <strong>${bad.join(" · ")}</strong>${bad.length > 0 && rest.length > 0 ? " · " : ""}${rest.join(" · ")}</figcaption>
<div class="days" role="img" aria-label="${label}">${bars}</div>
<div class="ends soft" aria-hidden="true"><span>${formatDay(first.date)}</span><span>Today</span></div>
</figure>`;
}

/** ["failed Mon 3 Nov", "4 late"] */
function inWords(days: readonly DayStatus[], states: readonly Exclude<DayStatus["state"], "none">[]): string[] {
  return states.flatMap((state) => {
    const when = days.filter((day) => day.state === state).map(({ date }) => date);
    if (when.length === 0) return [];
    const named = (state === "late" || state === "failed") && when.length <= namedDays;
    return [named ? `${dayWords[state]} ${listed(when.map(formatDay))}` : `${when.length} ${dayWords[state]}`];
  });
}
