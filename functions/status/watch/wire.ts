import { setTimeout as delay } from "node:timers/promises";
import type { EventBus } from "../../../events/bus.ts";
import type { Event } from "../../../events/event.ts";
import type { Memory } from "../../../events/memory.ts";
import type { Logger } from "../../../shared/log.ts";

/** As far back as the page shows, and some more. */
const historyMs = 35 * 86_400_000;
/** How long to wait for something to come; what is there is taken at once. */
const idleMs = 30_000;
const takenAtOnce = 100;
/** After NATS failed: the first wait and the longest. */
const awayMs = { first: 1000, most: 30_000 };

export interface WireOptions {
  readonly open: () => Promise<EventBus>;
  /** Called with each connection, before anything is told. */
  readonly onMemory: (memory: Memory) => Promise<void>;
  /** What has been and what comes, more than once. */
  readonly onEvents: (events: readonly Event[]) => void;
  readonly log: Logger;
  readonly now: () => number;
}

/** The way to NATS and from it, made again whenever it is lost. */
export class Wire {
  readonly #options: WireOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #bus: EventBus | undefined;
  #tried = Promise.withResolvers<void>();

  constructor(options: WireOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Resolves once what has been is known, or the first try to learn it has failed, or it takes too long. */
  async settled(ms: number): Promise<void> {
    if (!this.#running) return;
    await Promise.race([this.#tried.promise, delay(ms, undefined, { ref: false })]);
  }

  connected(): boolean {
    return this.#bus?.connected() ?? false;
  }

  /** Rejects while NATS is away. */
  async publish(event: Event): Promise<void> {
    if (!this.#bus) throw new Error("NATS is away");
    await this.#bus.publisher.publish(event);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#follow(() => {
          failures = 0;
        });
      } catch (error) {
        if (signal.aborted) break;
        this.#options.log.warn({ err: error }, "NATS is away; trying again");
      } finally {
        const bus = this.#bus;
        this.#bus = undefined;
        await bus?.close().catch(() => {});
        this.#tried.resolve();
      }
      const waitMs = Math.min(awayMs.first * 2 ** failures, awayMs.most);
      await delay(waitMs, undefined, { signal }).catch(() => {});
      failures += 1;
    }
  }

  async #follow(onWell: () => void): Promise<void> {
    const { open, onMemory, onEvents, now } = this.#options;
    const { signal } = this.#stop;
    const bus = await open();
    this.#bus = bus;
    await onMemory(await bus.memory("status"));
    const events: Event[] = [];
    for await (const event of bus.history(now() - historyMs, signal)) events.push(event);
    onEvents(events);
    const inbox = await bus.inbox("status");
    onWell();
    this.#tried.resolve();
    try {
      while (!signal.aborted) {
        const given = await inbox.take(takenAtOnce, idleMs, signal);
        onEvents(given.flatMap((one) => ("event" in one ? [one.event] : [])));
        // What cannot be read is for `notify` to put aside and to tell of.
        for (const one of given) await one.taken();
      }
    } finally {
      await inbox.close();
    }
  }
}
