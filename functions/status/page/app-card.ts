import { html } from "hono/html";
import type { AppStatus, CheckStatus } from "../view.ts";
import { dayStrip } from "./day-strip.ts";
import { ago, type Html, moment, pill } from "./parts.ts";
import { restorePoints } from "./points.ts";
import { sizeChart } from "./size-chart.ts";
import { lookOfApp } from "./states.ts";
import { type Clock, formatAgo, formatBytes, formatDuration } from "./words.ts";

/** One app: how it is, what was saved, what comes next, what is proven, and how to get it back. */
export function appCard(app: AppStatus, clock: Clock): Html {
  const look = lookOfApp(app);
  return html`<article class="app ${look.tone}" id="app-${app.app}" aria-labelledby="title-${app.app}">
<header><h3 id="title-${app.app}">${app.title}</h3>${pill(look)}</header>
<p class="kind">${app.app}${app.schedule === undefined ? "" : ` · ${app.schedule}`}</p>
<p class="sentence">${app.sentence}</p>
${app.running ? runningNow(app.running, app.title, clock) : ""}
<dl class="facts">
<div><dt>Last good backup</dt><dd>${app.lastGood ? ago(app.lastGood.at, clock) : html`<strong>none yet</strong>`}</dd></div>
<div><dt>Next backup</dt><dd>${nextRun(app, clock)}</dd></div>
<div><dt>Restore drill</dt><dd>${check(app.drill, clock, "Proven")}</dd></div>
<div><dt>Read back</dt><dd>${check(app.scrub, clock, "All well")}</dd></div>
</dl>
${dayStrip(app.days)}
${sizeChart(app, clock)}
${restorePoints(app, clock)}
</article>`;
}

function nextRun({ pausedUntil, nextRunAt, schedule }: AppStatus, clock: Clock): Html {
  if (pausedUntil !== undefined)
    return html`<strong>paused</strong> <span class="soft">until ${moment(pausedUntil, clock)}</span>`;
  if (nextRunAt !== undefined) return ago(nextRunAt, clock);
  return html`<strong>${schedule === undefined ? "only by hand" : "not known"}</strong>`;
}

/** The result of the last drill or scrub, or when the first one will be. */
function check({ last, nextAt }: CheckStatus, clock: Clock, good: string): Html {
  const next = nextAt === undefined ? "" : html`<span class="soft">next ${moment(nextAt, clock)}</span>`;
  if (!last) return html`<strong>not yet</strong> ${next}`;
  const word = { proven: good, failed: "Failed", inconclusive: "Could not tell" }[last.result];
  const detail = last.result === "proven" ? html`, took ${formatDuration(last.tookMs)}` : html`: ${last.message}`;
  return html`<strong class="result-${last.result}">${word} ${formatAgo(last.at, clock)}</strong><span class="soft">${detail}</span>`;
}

function runningNow(running: NonNullable<AppStatus["running"]>, title: string, clock: Clock): Html {
  const { operation, phase, doneBytes, totalBytes, startedAt, startedBy } = running;
  const amount =
    doneBytes === undefined
      ? ""
      : `, ${formatBytes(doneBytes)}${totalBytes === undefined ? "" : ` of ${formatBytes(totalBytes)}`}`;
  const known = doneBytes !== undefined && totalBytes !== undefined && totalBytes > 0;
  const bar = known
    ? html`<progress max="${totalBytes}" value="${Math.min(doneBytes, totalBytes)}" aria-label="Progress of the ${operation} of ${title}"></progress>`
    : html`<progress aria-label="Progress of the ${operation} of ${title}"></progress>`;
  return html`<div class="running">
<div><strong>${operation}</strong>${phase === undefined ? "" : ` · ${phase}`}${amount}</div>
${bar}
<div class="soft">for ${formatDuration(clock.nowMs - Date.parse(startedAt))}, started by ${startedBy}</div>
</div>`;
}
