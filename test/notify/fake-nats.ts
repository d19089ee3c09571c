import type { Event } from "../../events/event.ts";
import type { Delivery, Inbox, Poison } from "../../events/inbox.ts";
import type { Memory } from "../../events/memory.ts";
import type { Clock } from "../../functions/notify/clock.ts";

type Unreadable = Pick<Poison, "raw" | "subject" | "why">;

interface Stored {
  readonly given: { readonly event: Event } | Unreadable;
  readonly storedAt: Date;
  attempts: number;
  /** Not given before: it is out, or was put off. */
  notBefore: number;
}

/** What nobody acknowledged in so long is given again. */
const ackWaitMs = 30_000;

/** A stream with one durable consumer, and a bucket; what is taken out and let go comes again. */
export class FakeNats {
  readonly #clock: Clock;
  readonly kept = new Map<string, string>();
  isAway = false;
  /** Acknowledgements get lost. */
  losesAcks = false;
  #stored: Stored[] = [];
  #came = new AbortController();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many were not acknowledged yet. */
  get waiting(): number {
    return this.#stored.length;
  }

  publish(...events: Event[]): void {
    for (const event of events) this.#store({ event });
  }

  publishUnreadable(unreadable: Unreadable): void {
    this.#store(unreadable);
  }

  #store(given: Stored["given"]): void {
    this.#stored.push({
      given,
      storedAt: new Date(this.#clock.now()),
      attempts: 0,
      notBefore: 0,
    });
    this.#ring();
  }

  leave(): void {
    this.isAway = true;
    this.#ring();
  }

  comeBack(): void {
    this.isAway = false;
  }

  readonly open = async (): Promise<{ inbox: Inbox; memory: Memory }> => {
    this.#check();
    const memory: Memory = {
      get: async (key) => this.#check().kept.get(key),
      set: async (key, text) => void this.#check().kept.set(key, text),
    };
    const inbox: Inbox = {
      take: (max, _, signal) => this.#take(max, signal),
      left: () => this.#stored.filter(({ attempts }) => attempts === 0).length,
      close: async () => {},
    };
    return { inbox, memory };
  };

  async #take(max: number, signal?: AbortSignal): Promise<(Delivery | Poison)[]> {
    for (;;) {
      this.#check();
      signal?.throwIfAborted();
      const ready = this.#stored.filter(({ notBefore }) => notBefore <= this.#clock.now()).slice(0, max);
      if (ready.length > 0) return ready.map((stored) => this.#give(stored));
      const next = Math.min(...this.#stored.map(({ notBefore }) => notBefore));
      const came = this.#came.signal;
      await this.#clock.sleep(next - this.#clock.now(), signal ? AbortSignal.any([came, signal]) : came);
      if (came.aborted && this.#came.signal === came) this.#came = new AbortController();
    }
  }

  #give(stored: Stored): Delivery | Poison {
    stored.notBefore = this.#clock.now() + ackWaitMs;
    stored.attempts += 1;
    const taken = async () => {
      this.#check();
      if (!this.losesAcks) this.#stored = this.#stored.filter((other) => other !== stored);
    };
    const common = { storedAt: stored.storedAt, taken };
    if ("raw" in stored.given) return { ...stored.given, ...common };
    return {
      ...stored.given,
      ...common,
      attempt: stored.attempts,
      later: async (afterMs) => {
        this.#check();
        stored.notBefore = this.#clock.now() + afterMs;
        this.#ring();
      },
      working: async () => {
        this.#check();
        stored.notBefore = this.#clock.now() + ackWaitMs;
      },
    };
  }

  #check(): this {
    if (this.isAway) throw new Error("NATS is away");
    return this;
  }

  #ring(): void {
    this.#came.abort();
  }
}
