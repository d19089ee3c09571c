import type { Outcome } from "../../../shared/run/report.ts";
import type { AppStatus, Condition, DayStatus, PointStatus, RunStatus, StatusView } from "../view.ts";
import { overallOf } from "./overall.ts";

/* Views for tests: a home lab at one moment, in each of the states that it can be in. */

export const nowMs = Date.parse("2026-01-30T14:20:00Z");
const hour = 3_600_000;
const day = 24 * hour;
export const before = (ms: number) => new Date(nowMs - ms).toISOString();

const base = (app: string) =>
  ({ sdtd: 1.4e9, factorio: 6.2e7, mapshot: 8.1e8, postgresql: 2.3e8, ollama: 4.7e10 })[app] ?? 3e7;

export function point(app: string, ageMs: number, more: Partial<PointStatus> = {}): PointStatus {
  const takenAt = before(ageMs);
  const id = takenAt.slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
  return {
    id,
    takenAt,
    sizeBytes: Math.round(base(app) * (1 - ageMs / (60 * day))),
    pinned: false,
    latest: false,
    verified: true,
    restore: `make restore-${app} AT=${id}`,
    ...more,
  };
}

export function run(app: string, ageMs: number, more: Partial<RunStatus> = {}): RunStatus {
  return {
    runId: `backup-${app}-${ageMs}`,
    app,
    operation: "backup",
    outcome: "created",
    startedAt: before(ageMs + 8_400),
    startedBy: "cron",
    finishedAt: before(ageMs),
    durationMs: 8_400,
    message: `Backed up ${app}: one restore point more.`,
    sizeBytes: base(app),
    ...more,
  };
}

function daysUntilNow(states: Partial<Record<number, DayStatus["state"]>> = {}): DayStatus[] {
  return Array.from({ length: 30 }, (_, i) => {
    const ago = 29 - i;
    const state = states[ago] ?? (i % 7 === 3 ? "unchanged" : "ok");
    return { date: before(ago * day).slice(0, 10), state, runs: state === "none" || state === "paused" ? 0 : 4 };
  });
}

export function app(name: string, title: string, more: Partial<AppStatus> = {}): AppStatus {
  const ages = [0, 1, 2, 3, 4, 5, 6].map((i) => 2 * hour + i * 6 * hour);
  return {
    app: name,
    type: name,
    title,
    state: "ok",
    sentence: "Backed up as planned.",
    lastGood: { at: before(2 * hour), outcome: "created" },
    lastRun: run(name, 2 * hour),
    failedInARow: 0,
    nextRunAt: before(-4 * hour),
    schedule: "every 6 hours",
    intervalMs: 6 * hour,
    days: daysUntilNow(),
    sizes: Array.from({ length: 40 }, (_, i) => {
      const ageMs = (40 - i) * 18 * hour;
      return { at: before(ageMs), sizeBytes: Math.round(base(name) * (0.62 + i * 0.009 + (i % 5) * 0.006)) };
    }),
    points: ages.map((ageMs, i) =>
      point(name, ageMs, {
        latest: i === 0,
        ...(i > 1 && { scrubbedAt: before(day) }),
        ...((i === 2 || i === 5) && { proven: { at: before(3 * day), tookMs: 41_000, recoverySeconds: 12.4 } }),
        ...(i === 6 && { pinned: true }),
      }),
    ),
    keep: 7,
    drill: {
      last: { at: before(3 * day), result: "proven", message: "Equal to what was recorded.", tookMs: 41_000 },
      nextAt: before(-4 * day),
    },
    scrub: {
      last: {
        at: before(day),
        result: "proven",
        message: "All read back.",
        tookMs: 95_000,
        doneBytes: 2e8,
        totalBytes: base(name) * 7,
      },
      nextAt: before(-6 * hour),
    },
    ...more,
  };
}

export const sixApps = (): AppStatus[] => [
  app("sdtd", "7 Days to Die"),
  app("factorio", "Factorio"),
  app("mapshot", "Mapshot", {
    schedule: "every 4 hours",
    intervalMs: 4 * hour,
    keep: 1,
    points: [point("mapshot", 2 * hour, { latest: true })],
  }),
  app("postgresql", "PostgreSQL", { schedule: "daily at 03:00", intervalMs: day }),
  app("open-webui", "Open WebUI", { schedule: "daily at 04:00", intervalMs: day }),
  app("ollama", "Ollama", {
    schedule: "daily at 08:00",
    intervalMs: day,
    keep: 1,
    points: [point("ollama", 5 * hour, { latest: true, scrubbedAt: before(2 * day) })],
    lastGood: { at: before(5 * hour), outcome: "unchanged" },
  }),
];

const messages: Partial<Record<Outcome["outcome"], string>> = {
  unchanged: "Nothing has changed since the last backup.",
  failed: "Cannot read the world: Region/r.0.0.7rg changed while it was read, three times.",
};

export function runs(n: number, names: readonly string[]): RunStatus[] {
  return Array.from({ length: n }, (_, i) => {
    const outcome = i % 11 === 6 ? "failed" : i % 3 === 1 ? "unchanged" : "created";
    return run(names[i % names.length] ?? "factorio", 20 * 60_000 + i * 47 * 60_000, {
      runId: `run-${i}`,
      outcome,
      ...(messages[outcome] !== undefined && { message: messages[outcome] }),
    });
  });
}

export const condition = (more: Partial<Condition> & Pick<Condition, "id" | "message">): Condition => ({
  severity: "problem",
  since: before(2 * hour),
  told: true,
  ...more,
});

/** All is well unless told; the sentence follows from the rest. */
export function view(more: Partial<StatusView> = {}): StatusView {
  const apps = more.apps ?? sixApps();
  const rest = {
    madeAt: before(0),
    watchedAt: before(4 * 60_000),
    timeZone: "Europe/Berlin",
    nas: { reachable: true, since: before(9 * day), checkedAt: before(60_000), freeBytes: 2.61e12, totalBytes: 7.9e12 },
    events: { connected: true, since: before(9 * day), undelivered: {} },
    notify: { lastDeliveredAt: before(2 * hour), parked: 0 },
    conditions: [],
    runs: runs(
      60,
      apps.map(({ app }) => app),
    ),
    ...more,
    apps,
  };
  return { overall: overallOf(rest), ...rest };
}

/** Each state by its name. */
export const scenes: Record<string, () => StatusView> = {
  "all well": () => view(),
  late: () => {
    const [first, factorio, ...rest] = sixApps();
    const late = {
      ...factorio!,
      state: "late" as const,
      sentence: "The backup that was due at 07:00 has not run.",
      lateSince: before(8 * hour),
      lastGood: { at: before(14 * hour), outcome: "created" },
      days: daysUntilNow({ 0: "late", 12: "late" }),
    };
    return view({
      apps: [first!, late, ...rest],
      conditions: [
        condition({
          id: "late:factorio",
          app: "factorio",
          message: "Factorio's backup of 07:00 has not run; it was started again at 09:30 and at 11:30.",
          hint: "make backup-factorio",
        }),
      ],
    });
  },
  failed: () => {
    const [first, factorio, mapshot, postgresql, ...rest] = sixApps();
    const failed = {
      ...postgresql!,
      state: "failed" as const,
      sentence: "The last two backups failed: the server does not answer at 10.20.10.31:5432.",
      failedInARow: 2,
      lastGood: { at: before(35 * hour), outcome: "created" },
      lastRun: run("postgresql", 11 * hour, { outcome: "failed", message: "The server does not answer." }),
      days: daysUntilNow({ 0: "failed", 1: "failed", 17: "late" }),
      drill: {
        last: {
          at: before(5 * day),
          result: "failed" as const,
          message: "table messages: 4,812 rows are wanted, are 4,790",
          tookMs: 61_000,
        },
        nextAt: before(-2 * day),
      },
      points: postgresql!.points.map((p, i) =>
        i === 1 ? { ...p, damaged: "its bytes are not what they were: sha256 differs since Thu 26 Jan" } : p,
      ),
    };
    const waiting = {
      ...factorio!,
      state: "waiting" as const,
      sentence: "Backups wait: the map is another one than before.",
      waiting: "another map",
    };
    return view({
      apps: [first!, waiting, mapshot!, failed, ...rest],
      conditions: [
        condition({
          id: "failing:postgresql",
          app: "postgresql",
          message: "PostgreSQL could not be backed up twice in a row: the server does not answer at 10.20.10.31:5432.",
          hint: "make backup-postgresql",
        }),
        condition({
          id: "damaged:postgresql",
          app: "postgresql",
          message: "A restore point of PostgreSQL is damaged. Good ones are there from Wed 07:20 and earlier.",
          hint: "make list-postgresql",
        }),
        condition({
          id: "waiting:factorio",
          app: "factorio",
          severity: "warning",
          message: "Factorio's map is another one than before; backups wait until you say that it is the right one.",
          hint: "make accept-factorio",
          told: false,
        }),
        condition({
          id: "nas:space",
          severity: "info",
          message: "The NAS will be full in about 40 days.",
          hint: "Delete what you no longer need, or give it a larger disk.",
        }),
      ],
      events: { connected: true, since: before(9 * day), undelivered: { ollama: 2 } },
      notify: { lastDeliveredAt: before(5 * hour), parked: 1 },
      nas: {
        reachable: true,
        since: before(9 * day),
        checkedAt: before(60_000),
        freeBytes: 3.9e11,
        totalBytes: 7.9e12,
      },
    });
  },
  running: () => {
    const [sdtd, ...rest] = sixApps();
    const ollama = rest.pop()!;
    const running = { operation: "backup", startedAt: before(72_000), startedBy: "make on kitchen-mac" };
    return view({
      apps: [
        {
          ...sdtd!,
          state: "running",
          sentence: "A backup is running.",
          running: { ...running, runId: "r1", phase: "copying", doneBytes: 8.7e8, totalBytes: 1.4e9 },
        },
        ...rest,
        {
          ...ollama,
          state: "running",
          sentence: "A restore is running.",
          running: { ...running, runId: "r2", operation: "restore" },
        },
      ],
    });
  },
  "never run": () =>
    view({
      apps: [
        app("factorio", "Factorio", {
          state: "never",
          sentence: "There is no backup yet; the first one runs at 18:00.",
          lastGood: undefined,
          lastRun: undefined,
          days: daysUntilNow(Object.fromEntries(Array.from({ length: 30 }, (_, i) => [i, "none"]))),
          sizes: [],
          points: [],
          drill: {},
          scrub: {},
        }),
      ],
      runs: [],
      notify: { parked: 0 },
      nas: {},
    }),
  "NAS away": () =>
    view({
      apps: sixApps().map((each, i) => ({
        ...each,
        ...(i === 5
          ? { state: "away" as const, sentence: "Nothing can be backed up or restored while the NAS is away." }
          : { state: "late" as const, sentence: "The backup that was due at Thu 14:20 has not run." }),
        lateSince: before(2 * day),
        lastGood: { at: before(2 * day + 2 * hour), outcome: "created" },
        days: daysUntilNow({ 0: "late", 1: "late" }),
      })),
      nas: {
        reachable: false,
        since: before(2 * day),
        checkedAt: before(60_000),
        freeBytes: 2.61e12,
        totalBytes: 7.9e12,
      },
      conditions: [
        condition({
          id: "nas:away",
          message: "The NAS at 10.20.10.20 has been away since Wed 15:20; 42 backups are missing meanwhile.",
          since: before(2 * day),
          hint: "Look whether it is switched on, and whether the export is mounted.",
        }),
      ],
      events: { connected: true, since: before(9 * day), undelivered: { sdtd: 8, factorio: 8, mapshot: 12 } },
    }),
  "twelve apps": () =>
    view({
      apps: [
        ...sixApps(),
        ...[
          "factorio-the-second-server-of-the-children-with-a-very-long-name-that-goes-on",
          "notes",
          "postgresql-15",
          "sdtd-test",
          "valheim",
          "immich",
        ].map((name, i) =>
          app(name, i === 0 ? "The second Factorio server, of the children, with a very long name" : name, {
            ...(i === 2 && {
              state: "paused" as const,
              sentence: "Paused for an upgrade.",
              pausedUntil: before(-2 * hour),
            }),
            ...(i === 4 && {
              state: "unknown" as const,
              sentence: "Its function does not answer; this is what was known then.",
              unknownSince: before(50 * 60_000),
            }),
          }),
        ),
      ],
    }),
  "nothing set up": () => view({ apps: [], runs: [], nas: {}, notify: { parked: 0 } }),
};

/** All that a view may have, each thing at least once. */
export function everything(): StatusView {
  const failed = scenes.failed!();
  const [running] = scenes.running!().apps;
  return { ...failed, apps: [running!, ...failed.apps.slice(1)], notify: { ...failed.notify, waiting: 3 } };
}
