import { html } from "hono/html";
import { type Clock, count, formatBytes } from "../../../shared/words.ts";
import type { StatusView } from "../view.ts";
import { icon } from "./icons.ts";
import type { Html } from "./parts.ts";
import { lookOfApp } from "./states.ts";
import { formatAgo } from "./words.ts";

/* The first look: what it answers has to be there without a scroll. */

export const levels = {
  safe: { word: "Safe", icon: "good", colour: "#2f8a5b" },
  attention: { word: "Needs a look", icon: "warn", colour: "#c98a12" },
  danger: { word: "Not safe", icon: "bad", colour: "#c43c2f" },
} as const;

/** "Am I safe?" */
export const verdict = (view: StatusView, clock: Clock): Html =>
  html`<div class="verdict ${view.overall.level}"><span class="seal">${icon(levels[view.overall.level].icon)}</span><div><p>${view.overall.sentence}</p>${glance(view, clock)}</div></div>`;

/** What is next, what is proven, what room there is. */
function glance({ apps, nas }: StatusView, clock: Clock): Html {
  if (apps.length === 0) return html``;
  const next = apps
    .flatMap(({ nextRunAt }) => nextRunAt ?? [])
    .filter((at) => Date.parse(at) > clock.nowMs)
    .toSorted()[0];
  const proven = apps.filter(({ drill }) => drill.last?.result === "proven").length;
  const running = apps.filter(({ running }) => running).length;
  const said = [
    ...(running === 0 ? [] : [`${count(running, "run")} in progress`]),
    ...(next === undefined ? [] : [`Next backup ${formatAgo(next, clock)}`]),
    `${proven} of ${count(apps.length, "restore")} proven`,
    ...(nas.freeBytes === undefined || nas.reachable === false
      ? []
      : [`${formatBytes(nas.freeBytes)} free on the NAS`]),
  ];
  return html`<ul class="glance">${said.map((each) => html`<li>${each}</li>`)}</ul>`;
}

/** All apps at one glance, each a way to its card; of one there is nothing to choose. */
export const overview = (apps: StatusView["apps"], clock: Clock) =>
  apps.length < 2
    ? html``
    : html`<nav aria-label="Apps"><ul class="overview">${apps.map((app) => {
        const { icon: name, tone, word } = lookOfApp(app);
        const saved = app.lastGood ? `saved ${formatAgo(app.lastGood.at, clock)}` : "never saved";
        return html`<li><a class="${tone}" href="#app-${app.app}">${icon(name)}<span class="name">${app.title}</span><span class="word">${word}</span><span class="soft">${saved}</span></a></li>`;
      })}</ul></nav>`;
