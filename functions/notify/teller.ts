import type { Channel } from "./channels/channel.ts";
import { causeOf } from "./fold.ts";
import type { Held } from "./held.ts";
import type { Intake } from "./intake.ts";
import { type Item, putAside } from "./item.ts";
import type { LateMemory } from "./memory.ts";
import type { NotifierOptions } from "./options.ts";
import type { Refusals } from "./refusals.ts";
import { StandIn } from "./stand-in.ts";
import { groupOf, tellingOf } from "./telling.ts";
import type { Refused } from "./told.ts";
import type { ToldBefore } from "./told-before.ts";

/** What a refusal keeps waiting for longer than this is given back to NATS, so that it is in nobody's way. */
const holdMs = 20_000;
/** The longest sleep while something is held: after it, NATS is told that we are still at it. */
const napMs = 5000;
/** How long to wait where what was told can neither be looked up nor written down. */
const troubledMs = 1000;
/** A failure that others may share waits for them so long. */
const gatherMs = 10_000;

const againNote = "This may come for the second time: the answer to the first try was lost.";

/**
 * Tells what is held, one message after the other, oldest first. NATS is told that an event is done only after every
 * main channel took its message. Before a message goes out it is written down that it does, and afterwards that it was
 * taken: an event is told twice only where the answer of a channel was lost, and then says so.
 */
export class Teller {
  readonly #options: NotifierOptions;
  readonly #held: Held;
  readonly #memory: LateMemory;
  readonly #told: ToldBefore;
  readonly #refusals: Refusals;
  readonly #intake: Intake;
  readonly #standIn: StandIn;
  #isStopped = false;
  #stillAtItAt = 0;
  lastTold: { at: number; title: string } | undefined;

  constructor(
    options: NotifierOptions,
    parts: { held: Held; memory: LateMemory; told: ToldBefore; refusals: Refusals; intake: Intake },
  ) {
    this.#options = options;
    this.#held = parts.held;
    this.#memory = parts.memory;
    this.#told = parts.told;
    this.#refusals = parts.refusals;
    this.#intake = parts.intake;
    this.#standIn = new StandIn(options, parts.told, parts.refusals);
  }

  /** Until it is stopped; never rejects. */
  async run(): Promise<void> {
    const { clock, log } = this.#options;
    while (!this.#isStopped) {
      if (this.#held.items.length === 0) {
        await this.#held.came.wait(clock, Number.POSITIVE_INFINITY);
        continue;
      }
      try {
        await this.#next();
      } catch (error) {
        log.warn({ err: error }, "what was told cannot be looked up or written down");
        this.#intake.giveUp(error as Error);
        await this.#held.came.wait(clock, troubledMs);
      }
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#held.came.ring();
  }

  /** Tells what may be told now, or waits a little. */
  async #next(): Promise<void> {
    const { channels, clock } = this.#options;
    const { main, others } = await channels();
    const now = clock.now();
    await this.#sayStillAtIt(now);
    for (const item of this.#held.items) {
      await this.#standIn.consider(item, this.#held.items, { main, others });
      const refusedMs = earliest(this.#missing(item, main), (channel) => this.#refusedUntil(channel, [item])) - now;
      if (refusedMs > holdMs && item.given.length > 0 && !item.isPosted) await this.#giveBack(item, refusedMs);
    }
    const times = this.#held.items.map((item) => ({ item, at: this.#readyAt(item, main) }));
    const next = times.find(({ at }) => at <= now) ?? times.toSorted((a, b) => a.at - b.at)[0];
    if (!next) return;
    if (next.at <= now) await this.#tell(groupOf(next.item, this.#held.items), main);
    else await this.#held.came.wait(clock, Math.min(next.at - now, napMs));
  }

  /** When the first of the channels that have not taken it may do so, in ms since 1970. */
  #readyAt(item: Item, main: readonly Channel[]): number {
    return Math.max(
      gatheredAt(item),
      earliest(this.#missing(item, main), (channel) => this.#openAt(channel, [item])),
    );
  }

  #missing(item: Item, main: readonly Channel[]): Channel[] {
    return main.filter(({ name }) => !item.toldBy.has(name));
  }

  #openAt(channel: Channel, group: readonly Item[]): number {
    const telling = tellingOf(group, this.#options.wording);
    return Math.max(channel.readyAt(telling), this.#refusedUntil(channel, group));
  }

  #refusedUntil(channel: Channel, group: readonly Item[]): number {
    const place = channel.placeOf(tellingOf(group, this.#options.wording));
    return this.#refusals.of(channel.name, place)?.until ?? 0;
  }

  async #tell(group: readonly Item[], main: readonly Channel[]): Promise<void> {
    for (const channel of main) {
      // Let go and given again while its message was on the way.
      for (const { id, toldBy } of group) if (this.#told.wasToldHere(channel.name, id)) toldBy.add(channel.name);
      const fresh = group.filter(({ toldBy }) => !toldBy.has(channel.name));
      if (fresh.length === 0 || this.#openAt(channel, fresh) > this.#options.clock.now()) continue;
      await this.#tellOn(channel, fresh);
    }
    for (const item of group) if (this.#missing(item, main).length === 0) await this.#done(item);
  }

  async #tellOn(channel: Channel, group: readonly Item[]): Promise<void> {
    const { log, clock, wording } = this.#options;
    const ids = group.map(({ id }) => id);
    // What came out of NATS is not told without a note there of it; what was handed in is told also while NATS is away.
    const isNoted = this.#memory.now !== undefined || group.some(({ isPosted }) => !isPosted);
    if (isNoted) await this.#told.begin(channel.name, ids);
    const isAgain = group.some(({ perhapsToldBy }) => perhapsToldBy.has(channel.name));
    const telling = tellingOf(group, wording, isAgain ? [[againNote]] : []);
    const answer = await channel.send(telling);
    if (answer.outcome === "taken") {
      for (const { toldBy } of group) toldBy.add(channel.name);
      await this.#told.add(channel.name, ids, answer.messageId);
      this.#refusals.clear(channel.name, channel.placeOf(telling));
      this.lastTold = { at: clock.now(), title: telling.message.title };
      log.info({ channel: channel.name, events: ids, notes: answer.notes }, `told: ${telling.message.title}`);
      return;
    }
    log.warn({ channel: channel.name, why: answer.why, events: ids }, "a message was not taken");
    await this.#noteRefusal(channel, group, answer);
    if (answer.outcome === "passing" && answer.maybeTaken)
      for (const { perhapsToldBy } of group) perhapsToldBy.add(channel.name);
    else if (isNoted && !isAgain) await this.#told.notTold(channel.name, ids);
  }

  async #noteRefusal(channel: Channel, group: readonly Item[], answer: Refused): Promise<void> {
    const { clock } = this.#options;
    const place = channel.placeOf(tellingOf(group, this.#options.wording));
    const isAboutMessage = answer.outcome === "permanent" && answer.about === "message";
    if (isAboutMessage && !group[0]?.parked) {
      // Not the place but this message: first each by itself, then only that it is there.
      if (group.length > 1) for (const item of group) item.isAlone = true;
      else await this.#park(group[0] as Item, answer.why);
      return;
    }
    this.#refusals.note(channel.name, isOfPlace(answer) ? place : undefined, answer, clock.now());
  }

  async #park(item: Item, why: string): Promise<void> {
    const parked = putAside(item, why, this.#options.clock.now());
    if (this.#memory.now) await this.#intake.parked.add(parked);
  }

  /** Every main channel has taken it. */
  async #done(item: Item): Promise<void> {
    this.#held.remove(item);
    // What fails here comes again, and is known as told then.
    const { retriedFrom, parked } = item;
    const leave = () => this.#intake.parked.remove(new Set([retriedFrom ?? ""]));
    const isRetried = retriedFrom !== undefined && !parked;
    const rest = [...(isRetried ? [leave] : []), ...item.onTold, ...item.given.map((one) => () => one.taken())];
    for (const step of rest)
      await Promise.resolve(step()).catch((err: unknown) =>
        this.#options.log.warn({ err, event: item.id }, "NATS does not know yet that this was told"),
      );
  }

  async #giveBack(item: Item, afterMs: number): Promise<void> {
    this.#held.remove(item);
    this.#intake.givenBack.set(item.id, item.storedAt);
    // What cannot be read comes again by itself, when it was not acknowledged in time.
    for (const one of item.given) if ("later" in one) await one.later(afterMs);
  }

  async #sayStillAtIt(now: number): Promise<void> {
    if (now - this.#stillAtItAt < napMs) return;
    this.#stillAtItAt = now;
    for (const one of this.#held.items.flatMap(({ given }) => given)) if ("working" in one) await one.working();
  }
}

/** A failure that others may share waits a little for them. */
const gatheredAt = ({ event, isAlone, parked, heldSince }: Item): number =>
  event && !isAlone && !parked && causeOf(event) !== undefined ? heldSince + gatherMs : 0;

/** @returns 0 when there is no channel left. */
const earliest = (channels: readonly Channel[], at: (channel: Channel) => number): number =>
  channels.length === 0 ? 0 : Math.min(...channels.map(at));

const isOfPlace = (answer: Refused): boolean =>
  answer.outcome === "wait" || (answer.outcome === "permanent" && answer.about !== "channel");
