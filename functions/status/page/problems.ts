import { html } from "hono/html";
import type { Clock } from "../../../shared/words.ts";
import type { Condition } from "../view.ts";
import { type Html, moment, pill, remedy } from "./parts.ts";
import { severities } from "./states.ts";
import { formatAgo } from "./words.ts";

/** What is wrong, since when, and the command that mends it. Nothing at all when nothing is. */
export function problems(conditions: readonly Condition[], clock: Clock): Html {
  if (conditions.length === 0) return html``;
  return html`<section aria-labelledby="problems"><h2 id="problems">What needs a look</h2>
<ul class="problems">${conditions.map(
    ({ severity, message, hint, since, told }) => html`<li class="${severities[severity].tone}">
<div class="top">${pill(severities[severity])}<span class="soft">since ${moment(since, clock)}, ${formatAgo(since, clock)}${told ? "" : " · nobody was told yet"}</span></div>
<p>${message}</p>
${hint === undefined ? "" : remedy(hint)}
</li>`,
  )}</ul></section>`;
}
