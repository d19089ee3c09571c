import { html } from "hono/html";
import type { StatusView } from "../view.ts";
import { type Html, moment } from "./parts.ts";
import { type Clock, count, formatAge, formatBytes } from "./words.ts";

/** What all apps lean on: the NAS, the events, the messages. */
export function house({ nas, events, notify }: Pick<StatusView, "nas" | "events" | "notify">, clock: Clock): Html {
  return html`<section aria-labelledby="house"><h2 id="house">Behind it</h2>
<div class="house">${nasPanel(nas, clock)}${eventsPanel(events, clock)}${messagesPanel(notify, clock)}</div></section>`;
}

const panel = (title: string, good: boolean | undefined, state: Html | string, detail: Html | string) =>
  html`<div class="panel"><h3>${title}</h3><p class="${good === undefined ? "open" : good ? "fine" : "off"}">${state}</p>${detail}</div>`;

function nasPanel(nas: StatusView["nas"], clock: Clock): Html {
  const age = nas.since === undefined ? "" : ` for ${formatAge(clock.nowMs - Date.parse(nas.since))}`;
  const state = nas.reachable === undefined ? "Not asked yet" : nas.reachable ? "Reachable" : `Away${age}`;
  const { freeBytes, totalBytes } = nas;
  const space =
    freeBytes === undefined || totalBytes === undefined || totalBytes === 0
      ? ""
      : html`<meter min="0" max="${totalBytes}" low="${totalBytes * 0.8}" high="${totalBytes * 0.9}" optimum="0" value="${totalBytes - freeBytes}" aria-label="Used space of the NAS"></meter>
<p class="soft">${formatBytes(freeBytes)} free of ${formatBytes(totalBytes)}</p>`;
  const checked = nas.checkedAt === undefined ? "" : html`<p class="soft">checked ${moment(nas.checkedAt, clock)}</p>`;
  return panel("NAS", nas.reachable, state, html`${space}${checked}`);
}

function eventsPanel({ connected, since, undelivered }: StatusView["events"], clock: Clock): Html {
  const waiting = Object.entries(undelivered).filter(([, n]) => n > 0);
  const state = connected ? "Connected" : `NATS is away for ${formatAge(clock.nowMs - Date.parse(since))}`;
  const detail = connected ? html`<p class="soft">since ${moment(since, clock)}</p>` : "";
  const wait =
    waiting.length === 0
      ? html`<p class="soft">every outcome was told</p>`
      : html`<p>${waiting.map(([app, n]) => `${app}: ${count(n, "outcome")}`).join(", ")} not told yet</p>`;
  return panel("Events", connected && waiting.length === 0, state, html`${detail}${wait}`);
}

function messagesPanel({ lastDeliveredAt, parked, waiting = 0 }: StatusView["notify"], clock: Clock): Html {
  const state =
    parked > 0
      ? `${count(parked, "message")} put aside`
      : waiting > 0
        ? `${count(waiting, "message")} on the way`
        : "Delivered";
  const last =
    lastDeliveredAt === undefined ? html`none was sent yet` : html`the last one ${moment(lastDeliveredAt, clock)}`;
  return panel(
    "Messages",
    parked === 0,
    lastDeliveredAt === undefined && parked + waiting === 0 ? "None yet" : state,
    html`<p class="soft">${last}</p>`,
  );
}
