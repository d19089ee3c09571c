import { createHash } from "node:crypto";
import { html, raw } from "hono/html";
import type { StatusView } from "../view.ts";
import { appCard } from "./app-card.ts";
import { house } from "./house.ts";
import { icon, iconShapes } from "./icons.ts";
import { type Html, moment } from "./parts.ts";
import { problems } from "./problems.ts";
import { lastRuns } from "./runs.ts";
import { script } from "./script.ts";
import { lookOfApp } from "./states.ts";
import { style } from "./style.ts";
import { type Clock, formatAge, formatAgo, formatBytes } from "./words.ts";

const hashOf = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** Nothing but the page's own style and script, its own address to ask again, and its icon, which is in it. */
const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src ${hashOf(style)}`,
  `script-src ${hashOf(script)}`,
  "connect-src 'self'",
  "img-src data:",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join("; ");

/** What is known counts as old, and the page says so. */
const staleAfterMs = 30 * 60_000;

const verdicts = {
  safe: { icon: "good", colour: "#2f8a5b" },
  attention: { icon: "warn", colour: "#c98a12" },
  danger: { icon: "bad", colour: "#c43c2f" },
} as const;

/** The page: all of it in one answer. */
export async function statusPage(view: StatusView, nowMs: number): Promise<Response> {
  return new Response(String(await pageOf(view, { nowMs, timeZone: view.timeZone })), {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": contentSecurityPolicy,
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    },
  });
}

function pageOf(view: StatusView, clock: Clock): Html {
  const { overall, apps } = view;
  const refreshSeconds = apps.some(({ running }) => running) ? 3 : 30;
  const titles = new Map(apps.map(({ app, title }) => [app, title]));
  return html`<!doctype html>
<html lang="en"><head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${{ safe: "Safe", attention: "Needs a look", danger: "Not safe" }[overall.level]} · Keepsake</title>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(favicon(verdicts[overall.level].colour))}">
<style>${raw(style)}</style>
<noscript><meta http-equiv="refresh" content="${Math.max(refreshSeconds, 10)}"></noscript>
</head><body>
${iconShapes()}
<div id="stale" class="stale" role="status" hidden>This page could not be brought up to date; it tries again.</div>
<main data-refresh-seconds="${refreshSeconds}">
<header class="mast"><h1>Keepsake</h1><p class="soft">as of ${moment(view.madeAt, clock)} · ${view.timeZone}</p></header>
${old(view.madeAt, clock)}
<div class="verdict ${overall.level}"><span class="seal">${icon(verdicts[overall.level].icon)}</span><div><p>${overall.sentence}</p>${glance(view, clock)}</div></div>
${apps.length > 1 ? overview(apps) : ""}
${problems(view.conditions, clock)}
<section aria-labelledby="apps"><h2 id="apps">Apps</h2>
${apps.length === 0 ? html`<p class="none">No app is set up yet.</p>` : html`<div class="apps">${apps.map((app) => appCard(app, clock))}</div>`}
</section>
${house(view, clock)}
${lastRuns(view.runs, titles, clock)}
</main>
<script>${raw(script)}</script>
</body></html>`;
}

/** What is next, what is proven, what room there is. */
function glance({ apps, nas }: StatusView, clock: Clock): Html {
  if (apps.length === 0) return html``;
  const next = apps.flatMap(({ nextRunAt }) => nextRunAt ?? []).toSorted()[0];
  const proven = apps.filter(({ drill }) => drill.last?.result === "proven").length;
  const said = [
    ...(next === undefined ? [] : [`Next backup ${formatAgo(next, clock)}`]),
    `${proven} of ${apps.length} proven restorable by their last drill`,
    ...(nas.freeBytes === undefined ? [] : [`${formatBytes(nas.freeBytes)} free on the NAS`]),
  ];
  return html`<p class="sub">${said.join(" · ")}</p>`;
}

/** All apps at one glance, each a way to its card. */
const overview = (apps: StatusView["apps"]) =>
  html`<nav aria-label="Apps"><ul class="overview">${apps.map((app) => {
    const { icon: name, tone, word } = lookOfApp(app);
    return html`<li><a class="${tone}" href="#app-${app.app}">${icon(name)}<span class="name">${app.title}</span><span class="word">${word}</span></a></li>`;
  })}</ul></nav>`;

function old(madeAt: string, { nowMs }: Clock): Html {
  const ms = nowMs - Date.parse(madeAt);
  if (ms < staleAfterMs) return html``;
  return html`<p class="stale" role="status">All this is what was known ${formatAge(ms)} ago: the watch has not looked since.</p>`;
}

const favicon = (colour: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="${colour}"/></svg>`;
