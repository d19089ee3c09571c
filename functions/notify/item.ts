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
  /** Each time that NATS gave it to us. */
  readonly given: (Delivery | Poison)[];
  /** Somebody else gave it to us, too: it is told also while NATS is away. */
  isPosted?: boolean;
  /** The channels that took it. */
  readonly toldBy: Set<string>;
  /** The channels that may have taken it: their answer was lost. */
  readonly perhapsToldBy: Set<string>;
  /** The channels that stood in for one that takes nothing. */
  readonly stoodInBy: Set<string>;
  /** It is put aside, and what is told is that. */
  parked?: Parked;
  /** It was put aside before, under this id: it leaves that list once it was told. */
  readonly retriedFrom?: string;
  /** Not to be folded into one message with others. */
  isAlone?: boolean;
  /** What else is to be done once it was told. */
  readonly onTold: (() => Promise<void> | void)[];
}

/** The notice about what is put aside is not to be missed, and goes to the usual place. */
const noticeRoute: Route = { how: "loud" };

/** In characters; an event that is longer cannot be told again. */
const rawLimit = 16_000;

export interface Reading {
  settings: NotifySettings;
  wording: Wording;
  now: number;
}

/** @returns undefined for what nobody wants to be told. */
export function itemOf(given: Delivery | Poison, reading: Reading): Item | undefined {
  const storedAt = given.storedAt.getTime();
  if ("event" in given) return itemOfEvent(given.event, storedAt, [given], reading);
  const raw = Buffer.from(given.raw).toString("utf8");
  const id = `unreadable-${createHash("sha256").update(given.raw).digest("hex").slice(0, 16)}`;
  const parked = parkedOf(id, given.subject, given.why, raw, reading.now);
  return { ...held(storedAt, [given], reading), id, message: parkedMessage([parked]), route: noticeRoute, parked };
}

/** @param given None when it did not come out of NATS. */
export function itemOfEvent(event: Event, storedAt: number, given: Delivery[], reading: Reading): Item | undefined {
  const common = { ...held(storedAt, given, reading), id: event.id, event };
  try {
    const message = messageOf(event, reading.wording);
    if (!message) return undefined;
    const route = routeOf(reading.settings, message.kind, message.app);
    return route.how === "off" ? undefined : { ...common, message, route };
  } catch (error) {
    const parked = parkedOf(event.id, event.subject, (error as Error).message, JSON.stringify(event), reading.now);
    return { ...common, message: parkedMessage([parked]), route: noticeRoute, parked };
  }
}

const held = (storedAt: number, given: (Delivery | Poison)[], { now }: Reading) => ({
  storedAt,
  heldSince: now,
  given,
  toldBy: new Set<string>(),
  perhapsToldBy: new Set<string>(),
  stoodInBy: new Set<string>(),
  onTold: [],
});

/** Turns an item that a channel refuses for good into the notice about it. */
export function putAside(item: Item, why: string, now: number): Parked {
  item.parked = parkedOf(
    item.retriedFrom ?? item.id,
    item.event?.subject ?? "",
    why,
    JSON.stringify(item.event ?? {}),
    now,
  );
  item.route = noticeRoute;
  return item.parked;
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
