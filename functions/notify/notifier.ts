import type { Event } from "../../events/event.ts";
import { Held } from "./held.ts";
import { Intake } from "./intake.ts";
import { LateMemory } from "./memory.ts";
import type { Message } from "./message.ts";
import type { NotifierOptions } from "./options.ts";
import { Refusals } from "./refusals.ts";
import { Teller } from "./teller.ts";
import type { Told } from "./told.ts";
import { ToldBefore } from "./told-before.ts";

/** So often at most a nudge from outside makes what was refused be tried at once. */
const nudgedEveryMs = 10_000;
/** How often an address is called that has not answered. */
const pingEveryMs = 15_000;

/** So long after the last message nothing depends on when it was: a minute is what a group's limit looks back on. */
const pacedMs = 65_000;

/** What a trial came to, for each channel. */
export interface Trial {
  readonly channel: string;
  readonly told: Told;
}

/** What became of an event that was handed in; `waiting`: nobody has taken it yet, it is told as soon as possible. */
export type Fate = "told" | "logged" | "off" | "for the digest" | "waiting";

/** Takes events out of NATS, or from whoever hands them in, and tells them to people. */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #memory: LateMemory;
  readonly #held = new Held();
  readonly #refusals = new Refusals();
  readonly #intake: Intake;
  readonly #teller: Teller;
  #isStopped = false;
  #loops: Promise<unknown>[] = [];
  #nudgedAt = Number.NEGATIVE_INFINITY;

  constructor(options: NotifierOptions, memory = new LateMemory()) {
    this.#options = options;
    this.#memory = memory;
    const told = new ToldBefore(memory);
    const common = { held: this.#held, memory, told, refusals: this.#refusals };
    this.#intake = new Intake(options, this.#held, memory, told);
    this.#teller = new Teller(options, { ...common, intake: this.#intake });
  }

  start(): void {
    if (this.#loops.length === 0) this.#loops = [this.#teller.run(), this.#intake.run(), this.#pingLoop()];
  }

  /** Ends what is under way, gives back what is held. */
  async stop(): Promise<void> {
    const [telling, ...others] = this.#loops;
    this.#teller.stop();
    await telling;
    this.#intake.stop();
    this.#isStopped = true;
    this.#options.pings?.noted.ring();
    await Promise.all(others);
  }

  /** Nothing is under way or waits, so that it may be ended and begun again without anybody noticing. */
  isAtRest(): boolean {
    const { clock, pings } = this.#options;
    const toldMs = this.#teller.lastTold?.at ?? Number.NEGATIVE_INFINITY;
    const isQuiet = this.#held.items.length === 0 && !pings?.isDue() && clock.now() - toldMs > pacedMs;
    return isQuiet && this.#intake.isAtRest;
  }

  /** Tries now what waits for its next try; somebody outside may call it as often as he likes. */
  nudge(): void {
    const now = this.#options.clock.now();
    if (now - this.#nudgedAt < nudgedEveryMs) return;
    this.#nudgedAt = now;
    this.#retryNow();
  }

  #retryNow(): void {
    this.#refusals.forgetWaits();
    this.#held.came.ring();
    this.#intake.nudge();
  }

  /** One message over each channel, whatever waits. */
  async trial(message: Message): Promise<Trial[]> {
    const { main, others } = await this.#options.channels();
    const trials = await Promise.all(
      [...main, ...others].map(async (channel): Promise<Trial> => {
        const told = await channel.send({ message, events: [], silent: false });
        return { channel: channel.name, told };
      }),
    );
    if (trials.some(({ told }) => told.outcome === "taken")) this.#retryNow();
    return trials;
  }

  /**
   * Tells an event that did not come out of NATS; once, however often it is handed in or comes from there as well.
   * @param waitMs How long to wait until it is told.
   */
  async handIn(event: Event, waitMs: number): Promise<Fate> {
    const fate = await this.#intake.handIn(event);
    if (typeof fate === "string") return fate;
    const waited = new AbortController();
    let isTold = false;
    fate.item.onTold.push(() => {
      isTold = true;
      waited.abort();
    });
    await this.#options.clock.sleep(waitMs, waited.signal);
    return isTold ? "told" : "waiting";
  }

  retryParked(): Promise<number> {
    return this.#intake.retryParked();
  }

  /** What was put aside; undefined while NATS is away, where that is kept. */
  async parked() {
    return this.#memory.now ? this.#intake.parked.all() : undefined;
  }

  async state() {
    const { main, others } = await this.#options.channels();
    const waiting = [...this.#held.items.map(({ storedAt }) => storedAt), ...this.#intake.givenBack.values()];
    return {
      /** Why NATS cannot be used; undefined when it can. */
      away: this.#intake.away,
      waiting: waiting.length + this.#intake.left,
      oldestWaitingAt: waiting.length === 0 ? undefined : Math.min(...waiting),
      lastTold: this.#teller.lastTold,
      main: main.map(({ name }) => ({ name, refusal: this.#refusals.worstOf(name) })),
      others: others.map(({ name }) => ({ name, refusal: this.#refusals.worstOf(name) })),
      pingError: this.#options.pings?.lastError(),
    };
  }

  async #pingLoop(): Promise<void> {
    const { pings, clock } = this.#options;
    while (pings && !this.#isStopped) {
      const isDue = await pings.send();
      await pings.noted.wait(clock, isDue ? pingEveryMs : Number.POSITIVE_INFINITY);
    }
  }
}
