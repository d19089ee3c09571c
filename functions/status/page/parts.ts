import { html } from "hono/html";
import { icon } from "./icons.ts";
import type { Look } from "./states.ts";
import { type Clock, formatAgo, formatWhen } from "./words.ts";

/* Small pieces that several parts of the page are made of. */

export type Html = ReturnType<typeof html>;

export const pill = ({ word, icon: name, tone }: Look) => html`<span class="pill ${tone}">${icon(name)}${word}</span>`;

/** "Thu 18:00", with the exact moment in UTC behind it. */
export const moment = (at: string, clock: Clock) =>
  html`<time datetime="${at}" title="${at.slice(0, 19).replace("T", " ")} UTC">${formatWhen(at, clock)}</time>`;

/** "2 h ago" first, for people; the moment second. */
export const ago = (at: string, clock: Clock) =>
  html`<strong>${formatAgo(at, clock)}</strong> <span class="soft">${moment(at, clock)}</span>`;

/** A command with its copy button; the button shows itself where it can work. */
export const command = (text: string) =>
  html`<span class="command"><code>${text}</code><button type="button" class="copy" data-copy="${text}" aria-label="Copy: ${text}" hidden>Copy</button></span>`;

/** A hint: with a copy button when it is a command. */
export const remedy = (hint: string) =>
  /^(make|kubectl|faas-cli|npm|systemctl|sudo) /.test(hint) && !/\n|\. /.test(hint)
    ? command(hint)
    : html`<span class="remedy">${hint}</span>`;
