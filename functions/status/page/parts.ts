import { html } from "hono/html";
import type { Clock } from "../../../shared/words.ts";
import { icon } from "./icons.ts";
import type { Look } from "./states.ts";
import { formatAgo, formatWhen } from "./words.ts";

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

/** A target of the Makefile with what it takes; "make room" is none. */
const makes = /\bmake (?:doctor|status|[a-z]+-[\w.-]*\w)(?: [A-Z]+=(?:'[^']*'|\S*\w))*/;

/** A hint: the command in it with a copy button, and what else it says. */
export function remedy(hint: string): Html {
  const [made] = makes.exec(hint) ?? [];
  const [first = "", rest = ""] = made === undefined ? [hint] : hint.split(made);
  const said = [first, rest.replace(/^[:.,;] */, "")].map((words) => words.trim()).filter((words) => words !== "");
  return html`<div class="mend">${made === undefined ? "" : command(made)}${said.map((words) => html`<p class="remedy">${capital(words)}</p>`)}</div>`;
}

const capital = (words: string) => words.charAt(0).toUpperCase() + words.slice(1);
