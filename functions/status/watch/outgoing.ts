import type { Event } from "../../../events/event.ts";
import type { Logger } from "../../../shared/log.ts";
import type { Remembered } from "./memory.ts";

export interface Ways {
  /** Absent: there is no NATS here. Rejects while it is away. */
  readonly publish?: (event: Event) => Promise<void>;
  readonly isConnected: () => boolean;
  /** Hands an event to `notify` itself. @returns Whether it took it. */
  readonly handIn: (event: Event) => Promise<boolean>;
  readonly log: Logger;
}

/**
 * Tells what waits, oldest first: to NATS; while that is away to `notify` itself, and to NATS under the same id when it
 * is back.
 * @returns What waits still.
 */
export async function tell(queue: Remembered["queue"], ways: Ways): Promise<Remembered["queue"]> {
  const { publish, isConnected, handIn, log } = ways;
  const left = [...queue];
  while (publish && isConnected()) {
    const [first] = left;
    if (!first) return [];
    try {
      await publish(first.event);
    } catch (error) {
      log.warn({ err: error, event: first.event.id }, "an event could not be published; it waits");
      break;
    }
    left.shift();
  }
  const told: Remembered["queue"] = [];
  for (const item of left) {
    const posted = item.posted || (await handIn(item.event));
    if (!posted || publish) told.push({ ...item, posted });
  }
  return told;
}
