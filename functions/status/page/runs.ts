import { html } from "hono/html";
import { type Clock, count, formatBytes, formatDuration } from "../../../shared/words.ts";
import type { RunStatus } from "../view.ts";
import { type Html, moment, pill } from "./parts.ts";
import { lookOfOutcome } from "./states.ts";

/** Shown at once, and behind a click; whoever wants them all asks for JSON. */
const shown = 15;
const behind = 100;

export function lastRuns(runs: readonly RunStatus[], titles: ReadonlyMap<string, string>, clock: Clock): Html {
  const item = (run: RunStatus) => runItem(run, titles, clock);
  const older = runs.slice(shown, shown + behind);
  const rest = runs.length - shown - older.length;
  return html`<section aria-labelledby="runs"><h2 id="runs">Last runs</h2>
${runs.length === 0 ? html`<p class="none">Nothing has run yet.</p>` : html`<ol class="runs">${runs.slice(0, shown).map(item)}</ol>`}
${
  older.length === 0
    ? ""
    : html`<details class="older" id="older-runs"><summary>${count(older.length, "older run")}</summary><ol class="runs">${older.map(item)}</ol>
${rest > 0 ? html`<p class="none">${rest} more as JSON.</p>` : ""}</details>`
}</section>`;
}

function runItem(run: RunStatus, titles: ReadonlyMap<string, string>, clock: Clock): Html {
  const size = run.sizeBytes === undefined ? "" : html`<span>${formatBytes(run.sizeBytes)}</span>`;
  return html`<li class="${lookOfOutcome(run.outcome).tone}">
<div class="end">${pill(lookOfOutcome(run.outcome))}</div>
<div class="what"><strong>${titles.get(run.app) ?? run.app}</strong> ${run.operation} <span class="soft">by ${run.startedBy}</span><p>${run.message}</p></div>
<div class="how"><span>${formatDuration(run.durationMs)}</span>${size}</div>
<div class="when">${moment(run.finishedAt, clock)}</div>
</li>`;
}
