import type { EventBus } from "../../../events/bus.ts";
import type { Event } from "../../../events/event.ts";
import type { Memory } from "../../../events/memory.ts";
import type { Logger } from "../../../shared/log.ts";
import type { Progress } from "../../../shared/run/report.ts";
import type { StatusSettings } from "../settings.ts";
import type { StatusView } from "../view.ts";
import { makeView } from "../view-of/make-view.ts";
import { appConditions } from "./app-conditions.ts";
import type { Gateway } from "./ask.ts";
import { digestDay, digestOf } from "./digest.ts";
import { isFrozenIn } from "./frozen.ts";
import { weigh } from "./held.ts";
import { houseConditions } from "./house-conditions.ts";
import { Ledger } from "./ledger.ts";
import { learn } from "./look.ts";
import { memoryKey, mergeRemembered, nothingRemembered, parseRemembered, type Remembered } from "./memory.ts";
import { tell } from "./outgoing.ts";
import { type Situation, situationOf } from "./situation.ts";
import { type Start, startsOf, wantsOf } from "./starts.ts";
import type { WatchedApp } from "./watched-app.ts";
import { Wire } from "./wire.ts";

/** The first round waits so long for what has been. */
const historyWithinMs = 10_000;
/** What is not sure yet, or was begun just now, is looked at again so soon. */
const soonMs = 60_000;
/** After an event the others that belong to it may follow. */
const eventsMs = 5000;
/** Whoever looks at the page sees nothing that is older, and runs as of so short a time ago. */
const glanceMs = { all: 60_000, running: 2000 };

export interface WatchOptions {
  readonly apps: readonly WatchedApp[];
  readonly settings: StatusSettings;
  readonly timeZone: string;
  readonly gateway: Gateway;
  /** Absent: there is no NATS here, and `notify` is told directly. */
  readonly openBus?: () => Promise<EventBus>;
  readonly schedules: () => Promise<ReadonlyMap<string, string> | undefined>;
  readonly token: () => Promise<string | undefined>;
  readonly log: Logger;
  readonly now: () => number;
  /** It was ended while it had nothing to do, and goes on from what it remembers. */
  readonly isRested?: boolean;
}

/** Knows what should be, sees what is, tells what is wrong, and has it mended. */
export class Watch {
  readonly #options: WatchOptions;
  readonly #ledger = new Ledger();
  readonly #wire: Wire | undefined;
  readonly #progress = new Map<string, Progress>();
  #known: Remembered;
  #memory: Memory | undefined;
  #isLoaded = false;
  #round: Promise<void> | undefined;
  #glance: Promise<void> | undefined;
  #glancedMs = Number.NEGATIVE_INFINITY;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #isStopped = true;
  /** What is known is written down. */
  #isSaved = false;
  #isCaughtUp = false;
  #resumed: Promise<void> | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
    const { openBus, log, now } = options;
    this.#known = nothingRemembered(now());
    if (openBus) {
      const onMemory = (memory: Memory) => this.#load(memory);
      const onEvents = (events: readonly Event[]) => this.#learnEvents(events);
      this.#wire = new Wire({ open: openBus, onMemory, onEvents, log, now });
    }
  }

  /** Its own timer, and its own consumer. */
  start(): void {
    this.#isStopped = false;
    this.#wire?.start();
    if (this.#options.isRested) this.#resumed = this.#resume();
    else this.#plan(0);
  }

  /** How long it has nothing to do unless something happens, in ms; whoever ends it then has to start it after that. */
  restMs(): number {
    const isBusy = this.#round || this.#glance || this.#known.queue.length > 0;
    if (isBusy || !this.#isSaved || !this.#wire?.connected()) return 0;
    return Math.max(0, this.#dueMs - performance.now());
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#round;
    await this.#glance;
    await this.#wire?.stop();
  }

  /** What is known now; reads nothing. */
  view(): StatusView {
    const knowledge = this.#knowledge();
    return makeView(this.#situations(), knowledge, this.#progress);
  }

  /** Once something is known: after the first round, or what is remembered. */
  async settled(): Promise<void> {
    await this.#resumed;
    if (this.#lookedMs === Number.NEGATIVE_INFINITY) await this.round();
  }

  /** Somebody looks: what is running, and what is old, is asked for anew, while they see what is known. */
  async look(): Promise<void> {
    if (this.#lookedMs === Number.NEGATIVE_INFINITY) {
      await this.settled();
      if (!this.#options.isRested) return;
    }
    const nowMs = performance.now();
    const isRunning = this.#situations().some(({ view }) => view?.running);
    if (nowMs - this.#glancedMs < (isRunning ? glanceMs.running : glanceMs.all)) return;
    this.#glance ??= this.#ask(nowMs - this.#lookedMs < glanceMs.all).finally(() => {
      this.#glance = undefined;
    });
  }

  /** A round now; whoever asks during one gets that one. */
  round(): Promise<void> {
    this.#round ??= this.#doRound()
      .catch((error) => this.#options.log.error({ err: error }, "a round of the watch failed"))
      .finally(() => {
        this.#round = undefined;
      });
    return this.#round;
  }

  #knowledge() {
    const { settings, timeZone, now } = this.#options;
    return { known: this.#known, ledger: this.#ledger, settings, timeZone, nowMs: now() };
  }

  #situations(): Situation[] {
    const knowledge = this.#knowledge();
    return this.#options.apps.map((app) => situationOf(app, knowledge));
  }

  async #doRound(): Promise<void> {
    const { settings, timeZone, now } = this.#options;
    await this.#wire?.settled(historyWithinMs);
    await this.#ask(false);
    this.#ledger.forgetBefore(now());
    const isUnsettled = this.#weigh();
    // Written down before it is done: what is told or begun twice has the same id, or is put off.
    const day = digestDay(settings.digestAt, timeZone, this.#known.digestDay, now());
    if (day !== undefined) {
      // Whoever has just set it up learns nothing from a day of which nothing is known.
      const isFirst = this.#known.roundMs === undefined;
      if (!isFirst) this.#known.queue.push({ event: digestOf(this.view(), day), posted: false });
      this.#known.digestDay = day;
    }
    const starts = this.#chooseStarts();
    await this.#save();
    await this.#tell();
    for (const start of starts) await this.#begin(start);
    const waitMs = isUnsettled || starts.length > 0 ? soonMs : settings.everyMinutes * 60_000;
    this.#known.roundMs = now();
    this.#known.dueMs = now() + waitMs;
    await this.#save();
    this.#plan(waitMs);
  }

  /** The next round when it is due, as if it had been here all the time. */
  async #resume(): Promise<void> {
    await this.#wire?.settled(historyWithinMs);
    const { roundMs, dueMs = 0 } = this.#known;
    const nowMs = this.#options.now();
    if (roundMs !== undefined) {
      this.#lookedMs = performance.now() - (nowMs - roundMs);
      this.#glancedMs = this.#lookedMs;
    }
    this.#plan(Math.max(0, dueMs - nowMs));
  }

  /** @param onlyRunning Only functions of which a run is in progress. */
  async #ask(onlyRunning: boolean): Promise<void> {
    const { apps, gateway, schedules, now } = this.#options;
    const running = this.#situations().filter(({ view }) => view?.running);
    const asked = onlyRunning ? running.map(({ app }) => app) : apps;
    const names = [...new Set(asked.map(({ backupFunction }) => backupFunction))];
    const answers = new Map(
      await Promise.all(names.map(async (name) => [name, await gateway.askState(name)] as const)),
    );
    const rest = onlyRunning ? {} : { notify: await gateway.askNotify(), schedules: await schedules() };
    learn(this.#known, this.#ledger, { nowMs: now(), answers, ...rest });
    await this.#askProgress();
    this.#glancedMs = performance.now();
    if (onlyRunning) return;
    this.#lookedMs = performance.now();
    const connected = this.#wire?.connected() ?? true;
    if (this.#known.nats.connected !== connected) this.#known.nats = { connected, sinceMs: now() };
  }

  async #askProgress(): Promise<void> {
    const running = this.#situations().flatMap(({ app, view, isFresh }) =>
      isFresh && view?.running ? [{ name: app.backupFunction, runId: view.running.runId }] : [],
    );
    const told = await Promise.all(running.map(({ name, runId }) => this.#options.gateway.askRun(name, runId)));
    this.#progress.clear();
    for (const run of told) if (run?.progress) this.#progress.set(run.id, run.progress);
  }

  /** @returns Whether something is to be looked at again soon. */
  #weigh(): boolean {
    const knowledge = this.#knowledge();
    const { apps } = this.#options;
    const names = new Set(apps.map(({ name }) => name));
    // Of an app that was taken out of the configuration nothing is told any more.
    const held = Object.fromEntries(
      Object.entries(this.#known.held).filter(([, { app }]) => app === undefined || names.has(app)),
    );
    const situations = this.#situations();
    const found = [
      ...houseConditions(situations, knowledge),
      ...situations.flatMap((situation) => appConditions(situation, knowledge)),
    ];
    const isFrozen = isFrozenIn(this.#known, situations);
    const weighed = weigh({ held, raised: this.#known.raised }, found, { nowMs: knowledge.nowMs, isFrozen });
    Object.assign(this.#known, { held: weighed.held, raised: weighed.raised });
    for (const event of weighed.events) {
      this.#known.queue.push({ event, posted: false });
      this.#ledger.learnEvent(event);
      this.#options.log.info({ event: event.id }, event.data.message);
    }
    return weighed.isUnsettled;
  }

  /** What is begun now; what is not wanted any more is forgotten, so that its next time is the first one again. */
  #chooseStarts(): Start[] {
    const knowledge = this.#knowledge();
    const situations = this.#situations();
    const { tries } = this.#known;
    for (const situation of situations) {
      if (!situation.isFresh) continue;
      const wanted = new Set(wantsOf(situation, knowledge).map(({ key }) => key));
      for (const what of ["catch-up", "mend", "cleanup"]) {
        const key = `${what}:${situation.app.name}`;
        if (!wanted.has(key)) delete tries[key];
      }
    }
    const starts = startsOf(situations, knowledge);
    for (const { key } of starts) tries[key] = { count: (tries[key]?.count ?? 0) + 1, lastMs: knowledge.nowMs };
    return starts;
  }

  async #begin({ key, functionName, body, needsToken }: Start): Promise<void> {
    const { gateway, token, log } = this.#options;
    const { status, why } = await gateway.start(functionName, body, needsToken ? await token() : undefined);
    if (status >= 200 && status < 300) log.info({ what: key }, "started");
    else log.warn({ what: key, why }, "could not be started; it is tried again later");
  }

  async #tell(): Promise<void> {
    const { gateway, token, log } = this.#options;
    const wire = this.#wire;
    const handIn = async (event: Event) => {
      const secret = await token();
      return secret !== undefined && gateway.handIn(event, secret);
    };
    const before = this.#known.queue;
    const left = await tell(before, {
      ...(wire && { publish: (event) => wire.publish(event) }),
      isConnected: () => wire?.connected() ?? false,
      handIn,
      log,
    });
    // What was kept may have been read meanwhile.
    const told = new Set(before.map(({ event }) => event.id));
    this.#known.queue = [...left, ...this.#known.queue.filter(({ event }) => !told.has(event.id))];
  }

  #learnEvents(events: readonly Event[]): void {
    const news = events.filter((event) => this.#ledger.learnEvent(event));
    // What has been before the last round was no news to whoever has rested since.
    const isAfterRest = this.#options.isRested && !this.#isCaughtUp;
    const sinceMs = isAfterRest ? (this.#known.roundMs ?? 0) - soonMs : Number.NEGATIVE_INFINITY;
    this.#isCaughtUp = true;
    if (news.some(({ time }) => Date.parse(time) > sinceMs)) this.#plan(eventsMs);
  }

  async #load(memory: Memory): Promise<void> {
    this.#memory = memory;
    if (this.#isLoaded) return;
    const kept = parseRemembered(await memory.get(memoryKey));
    if (kept) {
      this.#known = mergeRemembered(kept, this.#known);
      this.#isSaved = this.#options.isRested ?? false;
    }
    this.#isLoaded = true;
  }

  /** While NATS is away it is known here only. */
  async #save(): Promise<void> {
    this.#isSaved = false;
    if (!this.#memory || !this.#wire?.connected()) return;
    try {
      await this.#memory.set(memoryKey, JSON.stringify(this.#known));
      this.#isSaved = true;
    } catch (error) {
      this.#options.log.warn({ err: error }, "what the watch knows could not be written down");
    }
  }

  /** The next round, so soon at the latest. */
  #plan(ms: number): void {
    if (this.#isStopped) return;
    const dueMs = performance.now() + ms;
    if (this.#timer && this.#dueMs <= dueMs) return;
    clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.round();
    }, ms);
  }
}
