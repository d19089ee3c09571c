import { createHash } from "node:crypto";
import { html, raw } from "hono/html";
import { type Clock, formatAge } from "../../../shared/words.ts";
import type { StatusView } from "../view.ts";
import { appCard } from "./app-card.ts";
import { house } from "./house.ts";
import { iconShapes } from "./icons.ts";
import { type Html, moment } from "./parts.ts";
import { problems } from "./problems.ts";
import { lastRuns } from "./runs.ts";
import { script } from "./script.ts";
import { style } from "./style.ts";
import { levels, overview, verdict } from "./verdict.ts";

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

/** It goes round every 15 minutes unless told otherwise. */
const staleAfterMs = 60 * 60_000;

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
<meta name="theme-color" content="#f5f4ef" media="(prefers-color-scheme: light)">
<meta name="theme-color" content="#131614" media="(prefers-color-scheme: dark)">
<meta name="robots" content="noindex">
<title>${levels[overall.level].word} · Keepsake</title>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(favicon(levels[overall.level].colour))}">
<style>${raw(style)}</style>
<noscript><meta http-equiv="refresh" content="${Math.max(refreshSeconds, 10)}"></noscript>
</head><body>
${iconShapes()}
<div id="stale" class="stale" role="status" hidden>This page could not be brought up to date; it tries again.</div>
<main data-refresh-seconds="${refreshSeconds}">
<header class="mast"><h1>Keepsake</h1><p class="soft">as of ${moment(view.madeAt, clock)} · ${view.timeZone}</p></header>
${old(view, clock)}
${verdict(view, clock)}
${overview(apps, clock)}
${problems(view.conditions, clock)}
<section aria-labelledby="apps"><h2 id="apps">Apps</h2>
${apps.length === 0 ? html`<p class="none">No app is set up yet.</p>` : html`<div class="apps">${apps.map((app) => appCard(app, clock))}</div>`}
</section>
${house(view, clock)}
${lastRuns(view.runs, titles, clock)}
<footer class="soft">The same as JSON: this address, asked with <code>Accept: application/json</code>. For Prometheus: <code>/metrics</code> behind it.</footer>
</main>
<script>${raw(script)}</script>
</body></html>`;
}

function old({ madeAt, watchedAt = madeAt }: StatusView, { nowMs }: Clock): Html {
  const ms = nowMs - Date.parse(watchedAt);
  if (ms < staleAfterMs) return html``;
  return html`<p class="stale" role="status">The watch last went round ${formatAge(ms)} ago: what is late or wrong since then may be missing here.</p>`;
}

const favicon = (colour: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="${colour}"/></svg>`;
