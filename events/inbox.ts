import type { Event } from "./event.ts";

/** What waits for one consumer, in a durable of its own. */
export interface Inbox {
  /**
   * Up to `max` events that wait, oldest first; waits up to `waitMs` for the first one; [] when none came. What is no
   * event that this version knows is handed over as well, for the consumer to put aside: `"event" in given` tells them
   * apart. Rejects when NATS is away.
   */
  take(max: number, waitMs: number, signal?: AbortSignal): Promise<(Delivery | Poison)[]>;
  /** How many more waited at the last `take`. */
  left(): number;
  close(): Promise<void>;
}

export interface Delivery {
  readonly event: Event;
  /** 1 the first time. */
  readonly attempt: number;
  readonly storedAt: Date;
  /** Never comes again. */
  taken(): Promise<void>;
  /** Comes again, not before. */
  later(afterMs: number): Promise<void>;
  /** I am still at it: the time until it is given again starts anew. */
  working(): Promise<void>;
}

/** What cannot be read. */
export interface Poison {
  readonly raw: Uint8Array;
  readonly subject: string;
  readonly why: string;
  readonly storedAt: Date;
  /** Never comes again. */
  taken(): Promise<void>;
}
