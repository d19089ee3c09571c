import { createHash } from "node:crypto";
import type { Event } from "../../events/event.ts";
import type { Delivery, Poison } from "../../events/inbox.ts";
import { type Message, messageOf, type Wording } from "./message.ts";
import { signOf } from "./message-outcome.ts";
import type { Parked } from "./remembered.ts";
import { type Route, routeOf } from "./route.ts";
import type { NotifySettings } from "./settings.ts";
import { type Line, shorten, type Text } from "./text.ts";
import { clean, count } from "./words.ts";

/** One thing to be told, until every channel has taken it. */
export interface Item {
  /** Of the event; of what cannot be read, its hash. */
  readonly id: string;
  readonly event?: Event;
  readonly message: Message;
  route: Route;
  /** ms since 1970 */
  readonly storedAt: number;
  readonly heldSince: number;
  /** Each time that it was given to us while we held it already. */
  readonly given: (Delivery | Poison)[];
  /** The channels that took it. */
  readonly toldBy: Set<string>;
  /** It is put aside, and what is told is that. */
  parked?: Parked;
  /** Not to be folded into one message with others. */
  alone?: boolean;
  /** What else is to be done once it was told. */
  onTold?: () => Promise<void>;
}

/** The notice about what is put aside is not to be missed, and goes to the usual place. */
const noticeRoute: Route = { how: "loud" };

const rawLimit = 8000;

export interface Reading {
  settings: NotifySettings;
  wording: Wording;
  now: number;
}

/** @returns undefined for what nobody wants to be told. */
export function itemOf(given: Delivery | Poison, { settings, wording, now }: Reading): Item | undefined {
  const common = { storedAt: given.storedAt.getTime(), heldSince: now, given: [given], toldBy: new Set<string>() };
  if (!("event" in given)) {
    const raw = Buffer.from(given.raw).toString("utf8");
    const id = `unreadable-${createHash("sha256").update(given.raw).digest("hex").slice(0, 16)}`;
    const parked = parkedOf(id, given.subject, given.why, raw, now);
    return { ...common, id, message: parkedMessage([parked]), route: noticeRoute, parked };
  }
  const { event } = given;
  try {
    const message = messageOf(event, wording);
    if (!message) return undefined;
    const route = routeOf(settings, message.kind, message.app);
    return route.how === "off" ? undefined : { ...common, id: event.id, event, message, route };
  } catch (error) {
    const parked = parkedOf(event.id, event.subject, (error as Error).message, JSON.stringify(event), now);
    return { ...common, id: event.id, event, message: parkedMessage([parked]), route: noticeRoute, parked };
  }
}

/** Turns an item that a channel refuses for good into the notice about it. */
export function putAside(item: Item, why: string, now: number): void {
  item.parked = parkedOf(item.id, item.event?.subject ?? "", why, JSON.stringify(item.event ?? {}), now);
  item.route = noticeRoute;
}

const parkedOf = (id: string, subject: string, why: string, raw: string, now: number): Parked => ({
  id: shorten(id, 200),
  subject,
  why: shorten(clean(why), 300),
  parkedAt: new Date(now).toISOString(),
  raw: raw.slice(0, rawLimit),
});

/** What is told of events that cannot be told: that they are there, and where to look. */
export function parkedMessage(parked: readonly Parked[]): Message {
  const title = `${count(parked.length, "event")} could not be told, and ${parked.length === 1 ? "was" : "were"} put aside`;
  const shown = parked.slice(0, 10);
  const more = parked.length - shown.length;
  const text: Text = [
    [`${signOf("warning")} `, { bold: title }],
    ...shown.map(({ subject, why, id }): Line => [`• ${subject}: ${why} (`, { code: shorten(id, 80) }, ")"]),
    ...(more > 0 ? [[`• and ${more} more`]] : []),
    [{ bold: "What to do: " }, "The function notify lists what is put aside. After an update, retry-parked tells it."],
  ];
  return { kind: "parked", urgency: "warning", title, text };
}
