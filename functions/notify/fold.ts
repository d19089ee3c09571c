import type { Event } from "../../events/event.ts";
import { type Message, nameOf, type Wording } from "./message.ts";
import { hintLines, signOf, whyLines } from "./message-outcome.ts";
import { OutcomeData } from "./outcome-data.ts";
import type { Line } from "./text.ts";
import { clean, count } from "./words.ts";

/** Causes that lie with what all apps share: where one app fails, others do so in the same minutes. */
const sharedCauses: ReadonlySet<string> = new Set([
  "nas_unreachable",
  "nas_not_marked",
  "nas_write_failed",
  "no_space",
  "invalid_config",
  "interrupted",
]);

/** Failures further apart are not of one cause, in ms. */
const togetherMs = 15 * 60_000;

/** @returns The cause that an event may share with others; undefined when it is told by itself. */
export function causeOf(event: Event): string | undefined {
  if (event.subject !== "backups.failed") return undefined;
  const run = OutcomeData.safeParse(event.data);
  const code = run.success ? run.data.failure?.code : undefined;
  return run.success && code !== undefined && sharedCauses.has(code) ? `${run.data.operation} ${code}` : undefined;
}

/** Those of the events that tell of the first one's cause, the first one included; in their order. */
export function ofOneCause<T extends { readonly event: Event }>(first: T, others: readonly T[]): T[] {
  const cause = causeOf(first.event);
  if (cause === undefined) return [first];
  const near = (event: Event) => Math.abs(Date.parse(event.time) - Date.parse(first.event.time)) <= togetherMs;
  return [first, ...others.filter((other) => other !== first && causeOf(other.event) === cause && near(other.event))];
}

/** One message for several failures of one cause. */
export function foldedMessage(events: readonly Event[], wording: Wording): Message {
  const runs = events.map((event) => OutcomeData.parse(event.data));
  const [first] = runs as [OutcomeData];
  const names = runs.map((run) => nameOf(run.app, run.title ?? wording.titleOf(run.app)));
  const reasons = runs.map(({ failure, message }) => clean(failure?.message ?? message));
  const same = new Set(reasons).size === 1;
  const hints = [...new Set(runs.map(({ failure }) => failure?.hint).filter((hint) => hint !== undefined))];
  const word = first.outcome === "interrupted" ? "Interrupted" : "Failed";
  const title = `${word}: ${first.operation} of ${count(new Set(names).size, "app")}, for one reason`;
  return {
    kind: first.outcome,
    urgency: "problem",
    title,
    text: [
      [`${signOf("problem")} `, { bold: title }],
      ...(same ? whyLines(reasons.slice(0, 1)) : whyLines(reasons.map((why, n) => `${names[n]}: ${why}`))),
      ...hintLines(hints.length > 0 ? hints.join("\n") : undefined, first.failure?.retryable),
      ...runs.map(({ runId }, n): Line => [`• ${names[n]}: run `, { code: runId }]),
    ],
  };
}
