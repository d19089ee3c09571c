import { html } from "hono/html";
import { type Clock, count, formatBytes } from "../../../shared/words.ts";
import type { StatusView } from "../view.ts";
import { type Html, moment } from "./parts.ts";
import { formatFor } from "./words.ts";

/** What all apps lean on: the NAS, the news of runs, the messages to people. */
export function house({ nas, events, notify }: Pick<StatusView, "nas" | "events" | "notify">, clock: Clock): Html {
  return html`<section aria-labelledby="house"><h2 id="house">What it leans on</h2>
<div class="house">${nasPanel(nas, clock)}${eventsPanel(events, clock)}${messagesPanel(notify, clock)}</div></section>`;
}

const panel = (title: string, tone: "good" | "bad" | "warn" | "open", state: string, detail: Html | string) =>
  html`<div class="panel"><h3>${title}</h3><p class="state ${tone}">${state}</p>${detail}</div>`;

function nasPanel({ reachable, since, checkedAt, freeBytes, totalBytes }: StatusView["nas"], clock: Clock): Html {
  const lasting = since === undefined ? "" : formatFor(clock.nowMs - Date.parse(since));
  const space =
    freeBytes === undefined || !totalBytes
      ? ""
      : html`${usedSpace(1 - freeBytes / totalBytes)}
<p class="soft">${formatBytes(freeBytes)} free of ${formatBytes(totalBytes)}${reachable === false ? " when it was last seen" : ""}</p>`;
  const checked = checkedAt === undefined ? "" : html`<p class="soft">looked at ${moment(checkedAt, clock)}</p>`;
  const detail = html`${space}${checked}`;
  if (reachable === undefined) return panel("NAS", "open", "Not asked yet", detail);
  return reachable ? panel("NAS", "good", "Reachable", detail) : panel("NAS", "bad", `Away${lasting}`, detail);
}

/** @param share Of 1. */
function usedSpace(share: number): Html {
  const percent = Math.round(Math.min(Math.max(share, 0), 1) * 100);
  const tone = percent < 80 ? "good" : percent < 90 ? "warn" : "bad";
  return html`<svg class="space ${tone}" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="${percent} % of the NAS are used"><path d="M0 0h${percent}v8H0Z"/></svg>`;
}

function eventsPanel({ connected, since, undelivered }: StatusView["events"], clock: Clock): Html {
  const waiting = Object.entries(undelivered).filter(([, n]) => n > 0);
  const all = waiting.reduce((sum, [, n]) => sum + n, 0);
  const told = all === 0 ? "" : html`<p class="soft">${waiting.map(([app, n]) => `${n} of ${app}`).join(", ")}</p>`;
  const detail = html`${told}<p class="soft">NATS ${connected ? "connected" : "away"} since ${moment(since, clock)}</p>`;
  if (!connected) return panel("News of runs", "bad", `NATS away${formatFor(clock.nowMs - Date.parse(since))}`, detail);
  return all === 0
    ? panel("News of runs", "good", "All told", detail)
    : panel("News of runs", "warn", `${count(all, "outcome")} not told yet`, detail);
}

function messagesPanel({ lastDeliveredAt, parked, waiting = 0 }: StatusView["notify"], clock: Clock): Html {
  const last =
    lastDeliveredAt === undefined
      ? html`<p class="soft">none was sent yet</p>`
      : html`<p class="soft">the last one ${moment(lastDeliveredAt, clock)}</p>`;
  if (parked > 0) return panel("Messages", "bad", `${count(parked, "message")} put aside`, last);
  if (waiting > 0) return panel("Messages", "warn", `${count(waiting, "message")} on the way`, last);
  return lastDeliveredAt === undefined
    ? panel("Messages", "open", "None yet", "")
    : panel("Messages", "good", "All delivered", last);
}
