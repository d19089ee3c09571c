import { Event } from "../../events/event.ts";
import type { Delivery, Inbox, Poison } from "../../events/inbox.ts";
import type { Memory } from "../../events/memory.ts";
import { Failure } from "../../shared/failures.ts";
import { parseJson } from "../../shared/json.ts";
import { Bell } from "./clock.ts";
import type { Held } from "./held.ts";
import { type Item, itemOf, itemOfEvent } from "./item.ts";
import type { LateMemory } from "./memory.ts";
import type { NotifierOptions } from "./options.ts";
import { OutcomeData } from "./outcome-data.ts";
import { type DigestLine, type DigestLines, digestLinesIn, type ParkedList, parkedIn } from "./remembered.ts";
import type { Text } from "./text.ts";
import type { ToldBefore } from "./told-before.ts";
import { clean, moment } from "./words.ts";

/** Held at once; the rest waits in NATS. */
const heldMost = 64;
/** More are taken while fewer than this many are held. */
const heldFew = 32;
/** How long to wait for something to come; what is there is taken at once. */
const idleMs = 10_000;
/** After NATS failed: the first wait and the longest. */
const awayMs = { first: 1000, most: 30_000 };

const notYet = "not connected yet";

/** What becomes of an event that is handed in. */
export type HandedIn = { readonly item: Item } | "told" | "logged" | "off" | "for the digest";

/** Takes events out of NATS, and from whoever hands them in, and holds those that are to be told. */
export class Intake {
  readonly #options: NotifierOptions;
  readonly #held: Held;
  readonly #memory: LateMemory;
  readonly #told: ToldBefore;
  readonly parked: ParkedList;
  readonly #digestLines: DigestLines;
  readonly #retry = new Bell();
  #isStopped = false;
  /** Of the connection there is: aborted when it is given up. */
  #connection = new AbortController();
  /** Given back to come again, by id: when it was stored, in ms. */
  readonly givenBack = new Map<string, number>();
  /** What waits in NATS beside what is held, as far as it is known. */
  left = 0;
  #isAccepting = false;
  /** Why NATS cannot be used; undefined when it can. */
  away: string | undefined = notYet;

  constructor(options: NotifierOptions, held: Held, memory: LateMemory, told: ToldBefore) {
    this.#options = options;
    this.#held = held;
    this.#memory = memory;
    this.#told = told;
    this.parked = parkedIn(memory);
    this.#digestLines = digestLinesIn(memory);
  }

  /** Until it is stopped; never rejects. */
  async run(): Promise<void> {
    const { open, log, clock } = this.#options;
    if (!open) {
      this.away = "there is none: neither `nats` in keepsake.yaml nor NATS_URL names one";
      return;
    }
    for (let failures = 0; !this.#isStopped; ) {
      try {
        await this.#drain(await open(), () => {
          if (failures > 0) log.info("events come out of NATS again");
          failures = 0;
        });
      } catch (error) {
        if (this.#isStopped) break;
        if (failures === 0) log.warn({ err: error }, "events cannot be taken out of NATS; trying again and again");
        this.away = clean((error as Error).message);
        await this.#retry.wait(clock, Math.min(awayMs.first * 2 ** failures, awayMs.most));
        failures += 1;
      }
    }
  }

  /** Takes as long as NATS is there and this is not stopped. */
  async #drain({ inbox, memory }: { inbox: Inbox; memory: Memory }, onTaken: () => void): Promise<void> {
    const connection = new AbortController();
    this.#connection = connection;
    this.#memory.now = memory;
    try {
      await this.#told.catchUp();
      await this.#options.onConnected?.();
      this.away = undefined;
      while (!this.#isStopped) {
        await this.#take(inbox, connection.signal);
        connection.signal.throwIfAborted();
        onTaken();
      }
    } finally {
      this.#memory.now = undefined;
      this.#isAccepting = false;
      await this.#letGo();
      await inbox.close().catch(() => {});
    }
  }

  /** Tries NATS now, if it is away. */
  nudge(): void {
    this.#retry.ring();
  }

  /** NATS was found not to work: what it gave is let go, and comes again. */
  giveUp(error: Error): void {
    this.#connection.abort(error);
    this.#held.went.ring();
  }

  stop(): void {
    this.#isStopped = true;
    this.#connection.abort();
    this.#retry.ring();
    this.#held.went.ring();
  }

  async #take(inbox: Inbox, signal: AbortSignal): Promise<void> {
    const room = heldMost - this.#held.items.length;
    if (room <= heldMost - heldFew) return this.#held.went.wait(this.#options.clock, Number.POSITIVE_INFINITY);
    const taken = await inbox.take(room, idleMs, signal);
    this.left = inbox.left();
    this.#isAccepting = taken.length > 0;
    for (const given of taken) await this.#accept(given);
    this.#isAccepting = false;
  }

  /** Nothing is here, or is given back and comes again; and it is known how things are at NATS. */
  get isAtRest(): boolean {
    return this.away !== notYet && !this.#isAccepting && this.givenBack.size === 0 && this.left === 0;
  }

  /** What NATS gave comes again from there: at once where it is told so. */
  async #letGo(): Promise<void> {
    const given = this.#held.items.flatMap((item) => item.given.splice(0).map((one) => ({ item, one })));
    for (const item of this.#held.items) if (!item.isPosted) this.#held.remove(item);
    for (const { item } of given) this.givenBack.set(item.id, item.storedAt);
    await Promise.allSettled(given.map(async ({ one }) => "later" in one && one.later(0)));
  }

  async #accept(given: Delivery | Poison): Promise<void> {
    if ("event" in given) this.#ping(given.event);
    const item = itemOf(given, this.#reading());
    if (!item) return given.taken();
    this.givenBack.delete(item.id);
    const held = this.#held.find(item.id);
    if (held) return void held.given.push(given);
    const fate = await this.#fateOf(item);
    if (typeof fate === "string") return given.taken();
    this.#held.add(fate.item);
  }

  /** An event that did not come out of NATS, which may be away. */
  async handIn(event: Event): Promise<HandedIn> {
    this.#ping(event);
    const item = itemOfEvent(event, this.#options.clock.now(), [], this.#reading());
    if (!item) return "off";
    if (item.parked) throw new Failure("invalid_request", `Cannot tell the event "${event.id}": ${item.parked.why}`);
    const held = this.#held.find(item.id);
    const fate = held ? { item: held } : await this.#fateOf(item);
    if (typeof fate === "string") return fate;
    fate.item.isPosted = true;
    // It may have come out of NATS while this was looked up.
    const other = this.#held.find(item.id);
    if (other) other.isPosted = true;
    else this.#held.add(fate.item);
    return { item: other ?? fate.item };
  }

  /**
   * What was put aside is read again: what this version can tell is told, and leaves the list then.
   * @returns How many there are to tell now.
   */
  async retryParked(): Promise<number> {
    let count = 0;
    for (const parked of await this.parked.all()) {
      const event = Event.safeParse(parseJson(parked.raw));
      const id = `again ${parked.parkedAt} ${parked.id}`;
      if (!event.success || this.#held.find(id)) continue;
      const item = itemOfEvent(event.data, Date.parse(parked.parkedAt), [], this.#reading());
      if (!item || item.parked) continue;
      this.#held.add({ ...item, id, retriedFrom: parked.id });
      count += 1;
    }
    return count;
  }

  /** Rejects when what was told cannot be looked up; only what did not come out of NATS is told nevertheless. */
  async #fateOf(item: Item): Promise<HandedIn> {
    const { log, channels } = this.#options;
    const { main } = await channels();
    const isFromNats = item.given.length > 0;
    for (const { name } of main) {
      const known = await this.#told.know(name, item.id).catch((error) => {
        if (isFromNats) throw error;
        return "no" as const;
      });
      if (known === "told") item.toldBy.add(name);
      if (known === "perhaps") item.perhapsToldBy.add(name);
    }
    if (main.length === 0) {
      log.info({ event: item.id }, item.message.title);
      return "logged";
    }
    if (item.toldBy.size === main.length) return "told";
    if (item.parked) await this.parked.add(item.parked);
    if (item.message.kind === "digest") return { item: await this.#withDigestLines(item) };
    if (item.route.how !== "digest" || !this.#memory.now) return { item };
    const at = item.event?.time ?? new Date(item.storedAt).toISOString();
    await this.#digestLines.add({ id: item.id, title: item.message.title, at });
    return "for the digest";
  }

  /** What was left to the digest is at its end. */
  async #withDigestLines(item: Item): Promise<Item> {
    const lines = this.#memory.now ? await this.#digestLines.all() : [];
    if (lines.length === 0) return item;
    const text = [...item.message.text, ["Also:"], ...digestText(lines, this.#options.wording.timeZone)];
    const ids = new Set(lines.map(({ id }) => id));
    item.onTold.push(() => this.#digestLines.remove(ids));
    return { ...item, message: { ...item.message, text } };
  }

  #ping({ data }: Event): void {
    const run = OutcomeData.safeParse(data);
    if (run.success) this.#options.pings?.note(run.data);
  }

  #reading() {
    const { settings, wording, clock } = this.#options;
    return { settings, wording, now: clock.now() };
  }
}

/** One line for each title, in the order in which they came. */
function digestText(lines: readonly DigestLine[], timeZone: string): Text {
  return [...Map.groupBy(lines, ({ title }) => title)].map(([title, alike]) => {
    const last = moment(alike.at(-1)?.at ?? "", timeZone);
    return [`• ${title}, ${alike.length === 1 ? `on ${last}` : `${alike.length} times, last on ${last}`}`];
  });
}
