import type { Event } from "../../events/event.ts";
import type { Telling } from "./channels/channel.ts";
import { foldedMessage, ofOneCause } from "./fold.ts";
import { type Item, parkedMessage } from "./item.ts";
import type { Wording } from "./message.ts";
import type { Line } from "./text.ts";

/** What is told in one message with an item: failures of one cause, and what was put aside; the item included. */
export function groupOf(item: Item, held: readonly Item[]): Item[] {
  if (item.parked) return held.filter(({ parked }) => parked);
  if (!hasEvent(item) || item.isAlone) return [item];
  const alike = held.filter((other) => !other.isAlone && !other.parked && isSameRoute(item, other));
  return ofOneCause(item, alike.filter(hasEvent));
}

/** @param notes Stand before the last line. */
export function tellingOf(group: readonly Item[], wording: Wording, notes: readonly Line[] = []): Telling {
  const [{ route, message }] = group as [Item];
  const { how, ...place } = route;
  const events = group.flatMap(({ event }) => (event ? [event] : []));
  const parked = group.flatMap(({ parked }) => (parked ? [parked] : []));
  const told = parked.length > 0 ? parkedMessage(parked) : group.length > 1 ? foldedMessage(events, wording) : message;
  const text = [...told.text.slice(0, -1), ...notes, ...told.text.slice(-1)];
  return { message: { ...told, text }, events, silent: how !== "loud", ...place };
}

const hasEvent = (item: Item): item is Item & { event: Event } => item.event !== undefined;

const isSameRoute = ({ route: a }: Item, { route: b }: Item) =>
  a.how === b.how && a.chat === b.chat && a.topic === b.topic;
