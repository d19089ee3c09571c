import { html } from "hono/html";
import { type Clock, count, formatDuration } from "../../../shared/words.ts";
import type { AppStatus, CheckStatus } from "../view.ts";
import { dayStrip } from "./day-strip.ts";
import { command, type Html, moment, pill } from "./parts.ts";
import { restorePoints } from "./points.ts";
import { runningNow } from "./running.ts";
import { sizeChart } from "./size-chart.ts";
import { lookOfApp } from "./states.ts";
import { formatAgo } from "./words.ts";

/** One app: how it is, what was saved, what comes next, what is proven, and how to get it back. */
export function appCard(app: AppStatus, clock: Clock): Html {
  const look = lookOfApp(app);
  return html`<article class="app ${look.tone}" id="app-${app.app}" aria-labelledby="title-${app.app}">
<header><h3 id="title-${app.app}">${app.title}</h3>${pill(look)}</header>
<p class="kind">${app.app}${app.schedule === undefined ? "" : ` · ${app.schedule}`}</p>
<p class="sentence">${app.sentence}</p>
${app.unknownSince === undefined ? "" : html`<p class="soft">Not answering since ${moment(app.unknownSince, clock)}, ${formatAgo(app.unknownSince, clock)}.</p>`}
${app.running ? runningNow(app.running, app.title, clock) : ""}
${app.pausedUntil === undefined ? "" : command(`make resume-${app.app}`)}
<dl class="facts">
${lastGood(app, clock)}
${nextRun(app, clock)}
${drill(app, clock)}
${scrub(app, clock)}
</dl>
${dayStrip(app.days)}
${sizeChart(app, clock)}
${restorePoints(app, clock)}
</article>`;
}

const fact = (label: string, value: Html | string, detail: Html | string = "", tone = "") =>
  html`<div><dt>${label}</dt><dd><strong class="${tone}">${value}</strong><span class="soft">${detail}</span></dd></div>`;

function lastGood({ lastGood, failedInARow }: AppStatus, clock: Clock): Html {
  if (!lastGood) return fact("Last good backup", "none yet");
  const failures = failedInARow === 0 ? "" : `, ${count(failedInARow, "failure")} since`;
  return fact("Last good backup", formatAgo(lastGood.at, clock), html`${moment(lastGood.at, clock)}${failures}`);
}

function nextRun({ pausedUntil, nextRunAt, schedule, lateSince }: AppStatus, clock: Clock): Html {
  if (pausedUntil !== undefined) return fact("Next backup", "paused", html`until ${moment(pausedUntil, clock)}`);
  if (nextRunAt !== undefined) {
    const due = Date.parse(nextRunAt) > clock.nowMs ? "" : "due ";
    const late = lateSince === undefined ? "" : html`, one was due ${moment(lateSince, clock)}`;
    return fact("Next backup", due + formatAgo(nextRunAt, clock), html`${moment(nextRunAt, clock)}${late}`);
  }
  return fact("Next backup", schedule === undefined ? "only by hand" : "not known");
}

/** The last drill, and the recovery time to expect. */
function drill({ drill, points }: AppStatus, clock: Clock): Html {
  const took = points.find(({ proven }) => proven)?.proven?.recoverySeconds;
  const good = took === undefined ? "" : `a restore takes ${formatDuration(took * 1000)}`;
  return check("Restore drill", "Proven", drill, good, clock);
}

function scrub({ scrub }: AppStatus, clock: Clock): Html {
  const next = scrub.nextAt === undefined ? "" : html`next ${moment(scrub.nextAt, clock)}`;
  return check("Read back", "All well", scrub, next, clock);
}

/** How the last drill or scrub went, and why where it did not; or when the first one will be. */
function check(label: string, word: string, { last, nextAt }: CheckStatus, detail: Html | string, clock: Clock): Html {
  if (!last) return fact(label, "not yet", nextAt === undefined ? "" : html`first ${moment(nextAt, clock)}`);
  const ago = formatAgo(last.at, clock);
  if (last.result === "proven") return fact(label, `${word} ${ago}`, detail);
  if (last.result === "failed") return fact(label, `Failed ${ago}`, last.message, "bad");
  return fact(label, `Could not tell ${ago}`, last.message, "warn");
}
