import type { ConditionEvent } from "../../events/event.ts";
import { type Message, nameOf, type Wording } from "./message.ts";
import { hintLines, signOf } from "./message-outcome.ts";
import { type Line, shorten } from "./text.ts";
import { capital, clean, duration, moment } from "./words.ts";

const limits = { message: 900, detail: 300, details: 30 } as const;

/** What the watch has found, found again, or found over; and the digest, which is worded already. */
export function conditionMessage({ id, subject, time, data }: ConditionEvent, { titleOf, timeZone }: Wording): Message {
  const kind = subject.slice("backups.".length);
  const whose = data.app === undefined ? undefined : nameOf(data.app, titleOf(data.app));
  const again = /\.again-\d+$/.test(id);
  const details = (data.details ?? [])
    .slice(0, limits.details)
    .map((detail): Line => [`• ${shorten(clean(detail), limits.detail)}`]);
  const left = (data.details?.length ?? 0) - details.length;
  if (left > 0) details.push([`• and ${left} more`]);
  const said = shorten(clean(data.message), limits.message);
  const common = { kind, ...(data.app !== undefined && { app: data.app }) };

  if (kind === "digest") {
    const [title = "", ...rest] = said.split("\n");
    const urgency = data.severity === "info" ? "good" : data.severity;
    const text: Line[] = [[`${signOf(urgency)} `, { bold: title }], ...rest.map((line): Line => [line]), ...details];
    return { ...common, urgency, title, text: [...text, ...hintLines(data.hint)] };
  }
  const over = kind === "recovered";
  const urgency = over ? "good" : kind === "late" && data.severity === "info" ? "warning" : data.severity;
  const word = over ? "well again" : again ? `still ${wordOf(kind, data.severity)}` : wordOf(kind, data.severity);
  // What concerns no single app says itself best what it is.
  const title = whose === undefined ? `${again && !over ? "Still: " : ""}${said}` : `${capital(word)}: ${whose}`;
  const lasted = Date.parse(time) - Date.parse(data.since);
  const since = moment(data.since, timeZone);
  return {
    ...common,
    urgency,
    title,
    text: [
      [`${signOf(urgency)} `, { bold: title }],
      ...(whose === undefined ? [] : [[said]]),
      ...(over ? [] : hintLines(data.hint)),
      [over ? `It lasted ${duration(lasted)}, since ${since}` : `Since ${since}`],
      ...details,
      ["Watch ", { code: data.condition }],
    ],
  };
}

function wordOf(kind: string, severity: string): string {
  if (kind === "late") return "late";
  return severity === "problem" ? "not well" : severity === "warning" ? "to be looked at" : "to be known";
}
