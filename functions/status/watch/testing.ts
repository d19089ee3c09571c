import type { EventBus } from "../../../events/bus.ts";
import { type Event, eventOf } from "../../../events/event.ts";
import type { Delivery } from "../../../events/inbox.ts";
import type { AppView, Outcome, Progress } from "../../../shared/run/report.ts";
import { silentLog } from "../../../shared/testing.ts";
import { readStatusSettings } from "../settings.ts";
import type { Answer, Gateway, NotifyAnswer } from "./ask.ts";
import { knownSchedule } from "./schedule-known.ts";
import { Watch } from "./watch.ts";
import type { WatchedApp } from "./watched-app.ts";

/* A home lab at a time of its own, for tests: its functions, its cron, its NATS, and the watch over them. */

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

/** NATS as the watch sees it, in memory; it can be away. */
export class FakeNats {
  isAway = false;
  readonly stored: { event: Event; atMs: number }[] = [];
  readonly memories = new Map<string, string>();
  #waiting: Event[] = [];
  #wake = Promise.withResolvers<void>();

  store(event: Event, atMs: number): void {
    if (this.isAway) throw new Error("NATS is away");
    if (this.stored.some((one) => one.event.id === event.id)) return;
    this.stored.push({ event, atMs });
    this.#waiting.push(event);
    this.#wake.resolve();
  }

  open = async (now: () => number): Promise<EventBus> => {
    const check = () => {
      if (this.isAway) throw new Error("NATS is away");
    };
    check();
    const stored = this.stored;
    const take = async (_: number, __: number, signal?: AbortSignal): Promise<Delivery[]> => {
      check();
      const end = new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
      if (this.#waiting.length === 0) await Promise.race([this.#wake.promise, end]);
      this.#wake = Promise.withResolvers();
      const events = this.#waiting;
      this.#waiting = [];
      const nothing = async () => {};
      return events.map((event) => ({
        ...{ event, attempt: 1, storedAt: new Date(now()), taken: nothing, later: nothing, working: nothing },
      }));
    };
    return {
      publisher: { publish: async (event) => this.store(event, now()) },
      inbox: async () => ({ take, left: () => this.#waiting.length, close: async () => {} }),
      memory: async () => ({
        get: async (key) => this.memories.get(key),
        set: async (key, text) => {
          check();
          this.memories.set(key, text);
        },
      }),
      async *history(sinceMs) {
        for (const { event, atMs } of [...stored]) if (atMs >= sinceMs) yield event;
      },
      connected: () => !this.isAway,
      close: async () => {},
    };
  };
}

export interface FakeApp {
  schedule?: string;
  view: AppView;
  /** How its backups end; "never": nothing comes of a call. */
  ends: Outcome["outcome"] | "never";
  code?: NonNullable<Outcome["failure"]>["code"];
}

const names = ["sdtd", "factorio", "mapshot", "postgresql", "open-webui", "ollama"];

export class FakeHouse {
  nowMs: number;
  nasAway = false;
  cronDead = false;
  readonly silent = new Set<string>();
  readonly nats = new FakeNats();
  readonly apps = new Map<string, FakeApp>();
  /** Runs that were asked for, and when. */
  readonly started: { name: string; operation: string; app: string; at: string; token: boolean }[] = [];
  /** What was handed to `notify` itself. */
  readonly handedIn: Event[] = [];
  notify: NotifyAnswer = { waiting: 0, parked: [], lastTold: { at: "2026-03-01T00:00:00Z" } };
  /** What runs in progress tell of themselves, by their id. */
  readonly progress = new Map<string, Progress>();
  space = { freeBytes: 5e12, totalBytes: 8e12 };
  /** What scrubs and drills come to; undefined: they go on. */
  checks: Partial<Record<"scrub" | "drill", Outcome["outcome"]>> = { scrub: "scrubbed", drill: "proven" };
  watch: Watch;
  #settings: object;
  readonly #watched: WatchedApp[];
  readonly #timeZone: string;
  #firedMs: number;
  #runs = 0;

  constructor(
    now: string,
    options: { apps?: string[]; schedule?: string; settings?: object; timeZone?: string; nats?: boolean } = {},
  ) {
    const {
      apps = names,
      schedule = "CRON_TZ=UTC 0 */6 * * *",
      settings = {},
      timeZone = "UTC",
      nats = true,
    } = options;
    this.nowMs = Date.parse(now);
    this.#firedMs = this.nowMs;
    this.#settings = { digestAt: "off", scrubHours: 0, drillDays: 0, ...settings };
    this.#timeZone = timeZone;
    this.#watched = apps.map((name) => ({
      ...{ name, type: name, title: name, backupFunction: `backup-${name}`, restoreFunction: `restore-${name}` },
      ...{ keep: 5, scrubDays: 7, hasDrill: true },
      ...(name === "mapshot" && { cleanupFunction: "cleanup-mapshot" }),
    }));
    for (const app of apps)
      this.apps.set(app, { schedule, ends: "created", view: { app, type: app, title: app, points: [], keep: 5 } });
    this.watch = this.newWatch(nats);
  }

  /** Another process of the function. */
  newWatch(nats = true): Watch {
    this.watch = new Watch({
      apps: this.#watched,
      settings: readStatusSettings(this.#settings),
      timeZone: this.#timeZone,
      gateway: this.#gateway(),
      ...(nats && { openBus: () => this.nats.open(() => this.nowMs) }),
      schedules: async () =>
        new Map([...this.apps].flatMap(([app, { schedule }]) => (schedule ? [[`backup-${app}`, schedule]] : []))),
      token: async () => "token",
      log: silentLog,
      now: () => this.nowMs,
    });
    return this.watch;
  }

  app(name: string): FakeApp {
    return this.apps.get(name) as FakeApp;
  }

  /** What people were told, as "subject condition", in order. */
  told(): string[] {
    const all = [...this.nats.stored.map(({ event }) => event), ...this.handedIn];
    const conditions = all.filter(({ type }) => /\.(late|raised|recovered|digest)\./.test(type));
    return conditions.map(({ subject, data }) => `${subject.slice(8)} ${"condition" in data ? data.condition : ""}`);
  }

  conditions(): string[] {
    return this.watch.view().conditions.map(({ id }) => id);
  }

  /** Lets time pass: cron calls what is due, and the watch looks every quarter of an hour. */
  async pass(ms: number, stepMs = 15 * minuteMs): Promise<void> {
    const endMs = this.nowMs + ms;
    while (this.nowMs < endMs) {
      this.nowMs = Math.min(this.nowMs + stepMs, endMs);
      this.#cron();
      await this.watch.round();
    }
  }

  /** Nothing runs meanwhile, neither cron nor the watch. */
  sleep(ms: number): void {
    this.nowMs += ms;
    this.#firedMs = this.nowMs;
  }

  end(app: string, operation: string, outcome: Outcome["outcome"], more: Partial<Outcome> = {}): Outcome {
    const fake = this.app(app);
    this.#runs += 1;
    const at = new Date(this.nowMs).toISOString();
    const ended: Outcome = {
      ...{ type: "outcome", runId: `${operation}-${app}-${this.#runs}`, function: `backup-${app}`, app, title: app },
      ...{ operation, outcome, startedAt: at, startedBy: "cron", finishedAt: at, durationMs: 0, warnings: [] },
      message: `${app}: ${outcome}`,
      ...more,
    };
    if (operation === "scrub") fake.view.lastScrub = ended;
    else if (operation === "drill") fake.view.lastDrill = ended;
    else fake.view.lastOutcome = ended;
    if (operation === "backup" && (outcome === "created" || outcome === "unchanged"))
      fake.view.lastGood = { at, outcome };
    if (outcome === "created") {
      const point = { id: at.slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-"), takenAt: at, sizeBytes: 1000 };
      const older = fake.view.points.map((one) => ({ ...one, latest: false }));
      const made = { ...point, files: [], verified: true, pinned: false, latest: true };
      fake.view.points = [made, ...older].slice(0, 5);
    }
    try {
      this.nats.store(eventOf(ended), this.nowMs);
    } catch {
      fake.view.waitingOutcomes = (fake.view.waitingOutcomes ?? 0) + 1;
    }
    return ended;
  }

  #cron(): void {
    for (const [app, { schedule }] of this.apps) {
      if (this.cronDead || !schedule || schedule === "@reboot") continue;
      if (knownSchedule(schedule).schedule.next(this.#firedMs) <= this.nowMs) this.#backup(app);
    }
    this.#firedMs = this.nowMs;
  }

  #backup(app: string): void {
    const { ends, code, view } = this.app(app);
    if (ends === "never" || this.silent.has(`backup-${app}`)) return;
    if (view.pausedUntil !== undefined && Date.parse(view.pausedUntil) > this.nowMs)
      return void this.end(app, "backup", "postponed");
    if (this.nasAway) return void this.end(app, "backup", "failed", failureOf("nas_unreachable"));
    this.end(app, "backup", ends, code && failureOf(code));
  }

  #gateway(): Gateway {
    return {
      askState: async (name): Promise<Answer> => {
        if (this.silent.has(name)) return { kind: "silent", why: "ECONNREFUSED" };
        if (this.nasAway) return { kind: "nas", why: "Cannot read the NAS: no answer within 5 s" };
        const app = name.replace("backup-", "");
        const { pausedUntil, ...view } = structuredClone(this.app(app).view);
        const isPaused = pausedUntil !== undefined && Date.parse(pausedUntil) > this.nowMs;
        const apps = [{ ...view, ...(isPaused && { pausedUntil }) }];
        return { kind: "state", state: { function: name, type: app, apps, nas: this.space } };
      },
      askNotify: async () => (this.silent.has("notify") ? { silent: "ECONNREFUSED" } : this.notify),
      askRun: async (name, id) => {
        const progress = this.progress.get(id);
        const common = { function: name, startedBy: "me", startedAt: new Date(this.nowMs).toISOString() };
        return progress && { id, status: "running", operation: "backup", ...common, progress };
      },
      start: async (name, body, token) => {
        const { operation, app } = body as { operation: string; app: string };
        const at = new Date(this.nowMs).toISOString();
        this.started.push({ name, operation, app, at, token: token !== undefined });
        if (this.silent.has(name)) return { status: 0, why: "ECONNREFUSED" };
        if (operation === "backup") this.#backup(app);
        if (operation === "cleanup") this.end(app, "cleanup", "cleaned");
        const outcome = operation === "scrub" || operation === "drill" ? this.checks[operation] : undefined;
        if (outcome) this.end(app, operation, outcome);
        return { status: 202, why: "" };
      },
      handIn: async (event) => {
        if (this.silent.has("notify")) return false;
        this.handedIn.push(event as Event);
        return true;
      },
      functions: async () => undefined,
    };
  }
}

const failureOf = (code: NonNullable<Outcome["failure"]>["code"]): Partial<Outcome> => ({
  message: `Cannot back up: ${code}`,
  failure: { code, message: `Cannot back up: ${code}`, retryable: true },
});
