import { Event } from "../../events/event.ts";
import type { Delivery, Inbox, Poison } from "../../events/inbox.ts";
import type { Logger } from "../../shared/log.ts";
import type { Channel, Telling } from "./channels/channel.ts";
import type { Pings } from "./channels/ping.ts";
import type { Clock } from "./clock.ts";
import { causeOf, foldedMessage, ofOneCause } from "./fold.ts";
import { type Item, itemOf, parkedMessage, putAside } from "./item.ts";
import type { Message, Wording } from "./message.ts";
import { OutcomeData } from "./outcome-data.ts";
import { type Refusal, Refusals } from "./refusals.ts";
import { type DigestLines, digestLinesIn, type ParkedList, parkedIn } from "./remembered.ts";
import type { NotifySettings } from "./settings.ts";
import type { Line, Text } from "./text.ts";
import type { Refused, Told } from "./told.ts";
import { type Memory, ToldBefore } from "./told-before.ts";
import { clean, moment } from "./words.ts";

/** Held at once; the rest waits in the stream. */
const heldMost = 64;
/** New ones are looked for while fewer than this many are held. */
const heldFew = 32;
/** How long to wait for something to come; what is there is taken at once. */
const idleMs = 30_000;
/** What has to wait longer than this is given back, to come again. */
const holdMs = 20_000;
/** The longest sleep while something is held: after it, the stream is told that we are still at it. */
const napMs = 5000;
/** A failure that others may share waits for them so long. */
const gatherMs = 10_000;
/** After NATS failed: the first wait and the longest. */
const awayMs = { first: 1000, most: 30_000 };

/** Channels by what they are for: everything goes to each of `main`; `others` stand in when `main` takes nothing. */
export interface Channels {
  main: readonly Channel[];
  others: readonly Channel[];
}

export interface NotifierOptions {
  /** Called again after each failure; rejects while NATS is away. */
  open: () => Promise<{ inbox: Inbox; memory: Memory }>;
  channels: () => Promise<Channels>;
  pings?: Pings;
  settings: NotifySettings;
  wording: Wording;
  log: Logger;
  clock: Clock;
}

interface Open {
  inbox: Inbox;
  told: ToldBefore;
  parked: ParkedList;
  digestLines: DigestLines;
}

/** What a trial came to, for each channel. */
export interface Trial {
  readonly channel: string;
  readonly told: Told;
}

/**
 * Takes events out of the inbox and tells them, one after the other. An event is acknowledged only after every main
 * channel took its message; what took it is remembered before that, so that it is told again only where the answer of a
 * channel was lost.
 */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #refusals = new Refusals();
  readonly #stop = new AbortController();
  #wake = new AbortController();
  #running: Promise<void> | undefined;
  #open: Open | undefined;
  readonly #toldHere = new Set<string>();
  #held: Item[] = [];
  /** Given back to come again, by id: when it was stored, in ms. */
  readonly #givenBack = new Map<string, number>();
  /** A message of it may have been taken: the answer was lost. */
  readonly #answerLost = new Set<string>();
  readonly #othersTold = new Set<string>();
  #lastTold: { at: number; title: string } | undefined;
  #lastError: { at: number; why: string } | undefined;
  #parkedCount = 0;
  #away: string | undefined = "not connected yet";
  #pinging: Promise<void> | undefined;

  constructor(options: NotifierOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends what is under way, gives back what is held. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#pinging;
  }

  /** Tries now what waits for its next try. */
  nudge(): void {
    this.#refusals.forgetWaits();
    this.#wake.abort();
  }

  /** One message over each channel, whatever waits. */
  async trial(message: Message): Promise<Trial[]> {
    const { main, others } = await this.#options.channels();
    const trials: Trial[] = [];
    for (const channel of [...main, ...others]) {
      const told = await channel.send({ message, events: [], silent: false });
      trials.push({ channel: channel.name, told });
      if (told.outcome === "taken") this.nudge();
    }
    return trials;
  }

  /**
   * Reads again what was put aside: what this version can tell is told, and leaves the list then.
   * @returns How many there are to tell now.
   */
  async retryParked(): Promise<number> {
    const open = this.#open;
    if (!open) throw new Error("NATS is away");
    let count = 0;
    for (const parked of await open.parked.all()) {
      const event = Event.safeParse(parseJson(parked.raw));
      const id = `again ${parked.parkedAt} ${parked.id}`;
      if (!event.success || this.#held.some((item) => item.id === id)) continue;
      const stored = new Date(parked.parkedAt);
      const item = itemOf(deliveryOf(event.data, stored), this.#reading());
      if (!item || item.parked) continue;
      this.#held.push({ ...item, id, given: [], onTold: () => open.parked.remove(new Set([parked.id])) });
      count += 1;
    }
    this.nudge();
    return count;
  }

  async parked() {
    return (await this.#open?.parked.all()) ?? [];
  }

  state() {
    const waiting = [...this.#held.map(({ storedAt }) => storedAt), ...this.#givenBack.values()];
    return {
      /** Why NATS cannot be used; undefined when it can. */
      away: this.#away,
      waiting: waiting.length,
      oldestWaitingAt: waiting.length === 0 ? undefined : Math.min(...waiting),
      parked: this.#parkedCount,
      lastTold: this.#lastTold,
      lastError: this.#lastError,
      refusalOf: (channel: string): Refusal | undefined => this.#refusals.worstOf(channel),
      pingError: this.#options.pings?.lastError(),
    };
  }

  async #run(): Promise<void> {
    const { log, clock } = this.#options;
    for (let failures = 0; !this.#stop.signal.aborted; ) {
      try {
        this.#open ??= await this.#connect();
        await this.#take(this.#open, this.#held.length === 0 ? idleMs : 1);
        this.#away = undefined;
        failures = 0;
        if (this.#held.length > 0) await this.#tellNext(this.#open);
      } catch (error) {
        if (this.#stop.signal.aborted) break;
        // What is held comes again, since it was not acknowledged.
        await this.#letGo();
        this.#away = clean((error as Error).message);
        log.warn({ err: error }, "events cannot be taken out of NATS; trying again");
        await this.#sleep(Math.min(awayMs.first * 2 ** failures, awayMs.most));
        failures += 1;
      }
    }
    await Promise.all(this.#held.flatMap(({ given }) => given).map((one) => "later" in one && one.later(0))).catch(
      () => {},
    );
    await this.#letGo();
    log.info({ at: new Date(clock.now()).toISOString() }, "stopped; what was held is given back");
  }

  async #connect(): Promise<Open> {
    const { inbox, memory } = await this.#options.open();
    const told = new ToldBefore(memory, this.#toldHere);
    const open = { inbox, told, parked: parkedIn(memory), digestLines: digestLinesIn(memory) };
    this.#parkedCount = (await open.parked.all()).length;
    return open;
  }

  async #letGo(): Promise<void> {
    const inbox = this.#open?.inbox;
    this.#open = undefined;
    for (const { id, storedAt, given } of this.#held) if (given.length > 0) this.#givenBack.set(id, storedAt);
    this.#held = [];
    await inbox?.close().catch(() => {});
  }

  async #take(open: Open, waitMs: number): Promise<void> {
    if (this.#held.length >= heldFew) return;
    const given = await open.inbox.take(heldMost - this.#held.length, waitMs, this.#stop.signal);
    if (given.length === 0) return;
    const { main } = await this.#options.channels();
    for (const one of given) await this.#accept(one, open, main);
    this.#held.sort((a, b) => a.storedAt - b.storedAt);
    this.#ping();
  }

  async #accept(given: Delivery | Poison, open: Open, main: readonly Channel[]): Promise<void> {
    const item = itemOf(given, this.#reading());
    if (!item) return given.taken();
    this.#givenBack.delete(item.id);
    const held = this.#held.find(({ id }) => id === item.id);
    if (held) return void held.given.push(given);
    for (const { name } of main) if (await open.told.has(name, item.id)) item.toldBy.add(name);
    if (main.length > 0 && item.toldBy.size === main.length) return given.taken();
    const run = OutcomeData.safeParse(item.event?.data);
    if (run.success) this.#options.pings?.note(run.data);
    if (main.length === 0) {
      this.#options.log.info({ event: item.id }, item.message.title);
      return given.taken();
    }
    if (item.route.how === "digest" && item.message.kind !== "digest") {
      const at = moment(item.event?.time ?? item.storedAt, this.#options.wording.timeZone);
      await open.digestLines.add({ id: item.id, line: `${at}: ${item.message.title}` });
      return given.taken();
    }
    this.#held.push(item.message.kind === "digest" ? await withDigestLines(item, open.digestLines) : item);
  }

  /** Tells what may be told now, or waits a little, or gives back what has to wait for long. */
  async #tellNext(open: Open): Promise<void> {
    const { clock } = this.#options;
    const channels = await this.#options.channels();
    const now = clock.now();
    for (const item of [...this.#held]) {
      await this.#standIn(item, channels, open);
      const waitMs = this.#readyAt(item, channels.main) - now;
      if (waitMs > holdMs && item.given.length > 0) await this.#giveBack(item, waitMs);
    }
    const times = this.#held.map((item) => ({ item, at: this.#readyAt(item, channels.main) }));
    const next = times.find(({ at }) => at <= now) ?? times.toSorted((a, b) => a.at - b.at)[0];
    if (!next) return;
    if (next.at > now) {
      await this.#sleep(Math.min(next.at - now, napMs));
      for (const one of this.#held.flatMap(({ given }) => given)) if ("working" in one) await one.working();
      return;
    }
    await this.#tell(this.#groupOf(next.item), channels.main, open);
  }

  /** When the first of the channels that have not taken it may do so, in ms since 1970. */
  #readyAt(item: Item, main: readonly Channel[]): number {
    const missing = main.filter(({ name }) => !item.toldBy.has(name));
    return Math.max(gatheredAt(item), Math.min(...missing.map((channel) => this.#openAt(channel, [item]))));
  }

  #openAt(channel: Channel, group: readonly Item[]): number {
    const telling = this.#tellingOf(group);
    const refusal = this.#refusals.of(channel.name, channel.placeOf(telling));
    return Math.max(channel.readyAt(telling), refusal?.until ?? 0);
  }

  /** What is told in one message with it. */
  #groupOf(item: Item): Item[] {
    if (item.parked) return this.#held.filter(({ parked }) => parked);
    if (!hasEvent(item) || item.alone) return [item];
    const { how, chat, topic } = item.route;
    const alike = this.#held.filter(
      ({ alone, parked, route }) =>
        !alone && !parked && route.how === how && route.chat === chat && route.topic === topic,
    );
    return ofOneCause(item, alike.filter(hasEvent));
  }

  #tellingOf(group: readonly Item[]): Telling {
    const [{ route, message }] = group as [Item];
    const events = group.map(({ event }) => event).filter((event) => event !== undefined);
    const parked = group.map(({ parked }) => parked).filter((parked) => parked !== undefined);
    const { how, ...place } = route;
    const told =
      parked.length > 0
        ? parkedMessage(parked)
        : group.length > 1
          ? foldedMessage(events, this.#options.wording)
          : message;
    const again = group.some(({ id }) => this.#answerLost.has(id));
    const note = "This may come for the second time: the answer to the first try was lost.";
    const text = again ? [...told.text.slice(0, -1), [note], ...told.text.slice(-1)] : told.text;
    return { message: { ...told, text }, events, silent: how !== "loud", ...place };
  }

  async #tell(group: Item[], main: readonly Channel[], open: Open): Promise<void> {
    for (const channel of main) {
      const fresh = group.filter(({ toldBy }) => !toldBy.has(channel.name));
      if (fresh.length === 0 || this.#openAt(channel, fresh) > this.#options.clock.now()) continue;
      // Also the proof that it can be remembered now: who could not write it down might tell it twice.
      for (const { id, toldBy } of fresh) if (await open.told.has(channel.name, id)) toldBy.add(channel.name);
      if (fresh.some(({ toldBy }) => toldBy.has(channel.name))) return;
      const answer = await this.#send(channel, fresh);
      if (answer.outcome === "taken") {
        for (const { toldBy } of fresh) toldBy.add(channel.name);
        await open.told.add(channel.name, fresh.map(({ id }) => id), answer.messageId); // biome-ignore format: one line reads better
      } else if (answer.outcome === "permanent" && answer.about === "message") return;
    }
    const done = group.filter(({ toldBy }) => main.every(({ name }) => toldBy.has(name)));
    for (const item of done) {
      if (item.parked) {
        await open.parked.add(item.parked);
        this.#parkedCount = (await open.parked.all()).length;
      }
      await item.onTold?.();
      for (const one of item.given) await one.taken();
      this.#held = this.#held.filter((other) => other !== item);
      this.#answerLost.delete(item.id);
      this.#othersTold.delete(item.id);
    }
  }

  async #send(channel: Channel, group: readonly Item[]): Promise<Told> {
    const { clock, log } = this.#options;
    const telling = this.#tellingOf(group);
    const place = channel.placeOf(telling);
    const answer = await channel.send(telling);
    const ids = group.map(({ id }) => id);
    if (answer.outcome === "taken") {
      this.#refusals.clear(channel.name, place);
      this.#lastTold = { at: clock.now(), title: telling.message.title };
      log.info({ channel: channel.name, events: ids, notes: answer.notes }, `told: ${telling.message.title}`);
      return answer;
    }
    this.#failed(channel, answer, ids);
    if (answer.outcome === "passing" && answer.maybeTaken) for (const id of ids) this.#answerLost.add(id);
    if (answer.outcome === "permanent" && answer.about === "message") {
      // Not the place but this message: first each by itself, then only that it is there.
      if (group.length > 1 && !group[0]?.parked) for (const item of group) item.alone = true;
      else if (!group[0]?.parked) putAside(group[0] as Item, answer.why, clock.now());
      else this.#refusals.note(channel.name, place, answer, clock.now());
    } else if (answer.outcome === "permanent" && answer.about === "chat") {
      this.#refusals.note(channel.name, place, answer, clock.now());
    } else if (answer.outcome === "wait") {
      this.#refusals.note(channel.name, place, answer, clock.now());
    } else {
      this.#refusals.note(channel.name, undefined, answer, clock.now());
    }
    return answer;
  }

  #failed(channel: Channel, { why }: Refused, events: readonly string[]): void {
    this.#lastError = { at: this.#options.clock.now(), why: `${channel.name}: ${why}` };
    this.#options.log.warn({ channel: channel.name, why, events }, "a message was not taken");
  }

  /** Tells the other channels, once, what a main one has not taken for too long or will not take by itself. */
  async #standIn(item: Item, { main, others }: Channels, open: Open): Promise<void> {
    const { clock, settings, wording } = this.#options;
    if (others.length === 0 || item.route.how !== "loud" || this.#othersTold.has(item.id)) return;
    const telling = this.#tellingOf([item]);
    const refusals = main.map((channel) => this.#refusals.of(channel.name, channel.placeOf(telling)));
    const overdue = refusals.find(
      (refusal) =>
        refusal && (refusal.permanent || clock.now() - refusal.since >= settings.otherChannelsAfterMinutes * 60_000),
    );
    if (!overdue) return;
    const group = this.#groupOf(item).filter(({ id }) => !this.#othersTold.has(id));
    const { message, ...rest } = this.#tellingOf(group);
    const why: Line = [`Telegram has taken nothing since ${moment(overdue.since, wording.timeZone)}: ${overdue.why}`];
    const text: Text = [...message.text.slice(0, 1), why, ...message.text.slice(1)];
    let all = true;
    for (const channel of others) {
      if (await open.told.has(channel.name, item.id)) continue;
      const ready = (this.#refusals.of(channel.name, channel.name)?.until ?? 0) <= clock.now();
      const answer = ready ? await channel.send({ ...rest, message: { ...message, text } }) : undefined;
      if (answer?.outcome === "taken") {
        this.#refusals.clear(channel.name, channel.name);
        await open.told.add(channel.name, group.map(({ id }) => id), answer.messageId); // biome-ignore format: one line reads better
        continue;
      }
      all = false;
      if (!answer) continue;
      this.#failed(channel, answer, [item.id]);
      this.#refusals.note(channel.name, undefined, answer, clock.now());
    }
    if (all) for (const { id } of group) this.#othersTold.add(id);
  }

  async #giveBack(item: Item, afterMs: number): Promise<void> {
    this.#held = this.#held.filter((other) => other !== item);
    this.#givenBack.set(item.id, item.storedAt);
    // What cannot be read comes again by itself, when it was not acknowledged in time.
    for (const one of item.given) if ("later" in one) await one.later(afterMs);
  }

  /** In the background: an address that hangs holds up no message. */
  #ping(): void {
    this.#pinging ??= this.#options.pings?.send().finally(() => {
      this.#pinging = undefined;
    });
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#wake.signal.aborted) this.#wake = new AbortController();
    await this.#options.clock.sleep(ms, AbortSignal.any([this.#stop.signal, this.#wake.signal]));
  }

  #reading() {
    const { settings, wording, clock } = this.#options;
    return { settings, wording, now: clock.now() };
  }
}

/** A failure that others may share waits a little for them. */
const gatheredAt = ({ event, alone, parked, heldSince }: Item): number =>
  event && !alone && !parked && causeOf(event) !== undefined ? heldSince + gatherMs : 0;

const hasEvent = (item: Item): item is Item & { event: Event } => item.event !== undefined;

/** What was left to the digest is at its end. */
async function withDigestLines(item: Item, digestLines: DigestLines): Promise<Item> {
  const lines = await digestLines.all();
  if (lines.length === 0) return item;
  const text: Text = [...item.message.text, ["Also:"], ...lines.map(({ line }): Line => [`• ${line}`])];
  const ids = new Set(lines.map(({ id }) => id));
  return { ...item, message: { ...item.message, text }, onTold: () => digestLines.remove(ids) };
}

/** An event that no stream has given to us. */
function deliveryOf(event: Event, storedAt: Date): Delivery {
  const nothing = async () => {};
  return { event, attempt: 1, storedAt, taken: nothing, later: nothing, working: nothing };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
