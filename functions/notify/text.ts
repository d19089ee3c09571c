/** A stretch of text for people. */
export type Part = string | { readonly bold: string } | { readonly code: string };
export type Line = readonly Part[];
/** What people are told, before any channel's own marks. */
export type Text = readonly Line[];

const bare = (part: Part): string => (typeof part === "string" ? part : "bold" in part ? part.bold : part.code);
const withText = (part: Part, text: string): Part =>
  typeof part === "string" ? text : "bold" in part ? { bold: text } : { code: text };

export const toPlain = (text: Text): string => text.map((line) => line.map(bare).join("")).join("\n");

/** Telegram's HTML (https://core.telegram.org/bots/api#html-style). */
export function toHtml(text: Text): string {
  const html = (part: Part) => {
    const safe = escapeHtml(bare(part));
    return typeof part === "string" ? safe : "bold" in part ? `<b>${safe}</b>` : `<code>${safe}</code>`;
  };
  return text.map((line) => line.map(html).join("")).join("\n");
}

export const escapeHtml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** UTF-16 units that people read: what Telegram counts, marks and codes such as `&amp;` left out. */
export const lengthOf = (text: Text): number => toPlain(text).length;

/**
 * Shortens before any mark is set, so that none is ever cut: lines in the middle are dropped when there are too many,
 * then the longest parts are cut. The first and the last line stay as long as they can.
 * @param maximum UTF-16 units, at least 100.
 */
export function shortenTo(text: Text, maximum: number): Text {
  let lines: Line[] = text.map((line) => line.map((part) => withText(part, readable(bare(part)))));
  if (lines.length > maximum / 20) lines = [...lines.slice(0, Math.floor(maximum / 20) - 2), ["…"], ...lines.slice(-1)];
  for (let excess = lengthOf(lines) - maximum; excess > 0; excess = lengthOf(lines) - maximum) {
    const longest = lines.flat().reduce((a, b) => (bare(b).length > bare(a).length ? b : a));
    const keep = Math.max(bare(longest).length - excess, Math.floor(bare(longest).length / 2));
    const cut = withText(longest, shorten(bare(longest), keep));
    lines = lines.map((line) => line.map((part) => (part === longest ? cut : part)));
  }
  return lines;
}

/** At most so many UTF-16 units, with "…" where something is missing; never half a character. */
export function shorten(text: string, maximum: number): string {
  if (text.length <= maximum) return text;
  return `${text.slice(0, Math.max(0, maximum - 1)).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** No half characters and no control characters: either makes Telegram refuse a whole message, or a screen misbehave. */
const readable = (text: string) => text.toWellFormed().replaceAll(/[^\P{Cc}\n\t]/gu, " ");
