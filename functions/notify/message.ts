import type { Event } from "../../events/event.ts";
import { conditionMessage } from "./message-condition.ts";
import { outcomeMessage } from "./message-outcome.ts";
import { OutcomeData } from "./outcome-data.ts";
import type { Text } from "./text.ts";

/** What an event says to people, before anybody decides how and where it is sent. */
export interface Message {
  /** How the run ended, or what the watch has found: what the settings go by. */
  readonly kind: string;
  readonly app?: string;
  readonly urgency: "good" | "info" | "warning" | "problem";
  /** One line that says it all, for a lock screen or a list. */
  readonly title: string;
  /** Begins with the title, ends with the run's id. */
  readonly text: Text;
}

export interface Wording {
  /** The title of an app by its name; undefined when it is not known. */
  titleOf(app: string): string | undefined;
  timeZone: string;
}

/**
 * @returns undefined for what is not told by itself: a render is told by the outcome of its run.
 * @throws {z.ZodError} When the event's data cannot be told.
 */
export function messageOf(event: Event, wording: Wording): Message | undefined {
  switch (event.subject) {
    case "mapshot.rendered":
      return undefined;
    case "backups.late":
    case "backups.raised":
    case "backups.recovered":
    case "backups.digest":
      return conditionMessage(event, wording);
    default:
      return outcomeMessage(OutcomeData.parse(event.data), wording);
  }
}

/** "Factorio"; "Factorio (factorio-2)" when the title alone does not tell whose it is in a command. */
export function nameOf(app: string, title: string | undefined): string {
  if (title === undefined || title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-") === app) return title ?? app;
  return `${title} (${app})`;
}
