import type { Outcome, PointView, Progress } from "../../shared/run/report.ts";

/*
 * What is known of everything, at one moment: the answer of `GET /` as JSON, and all that the page and the metrics
 * show. Plain JSON. Times are RFC 3339 in UTC, so they sort as text; lists say which end is first. Nothing in it is
 * secret: the page is open to whoever reaches the gateway.
 */
export interface StatusView {
  readonly madeAt: string;
  /** When the watch last went all the way round: looked, told what is wrong, and had it mended. undefined: not yet. */
  readonly watchedAt?: string;
  /** IANA name: in it the page tells times, and days begin and end. */
  readonly timeZone: string;
  readonly overall: Overall;
  readonly nas: NasStatus;
  readonly events: EventsStatus;
  readonly notify: NotifyStatus;
  /** What is wrong now, the worst first. */
  readonly conditions: readonly Condition[];
  /** In the order of the configuration. */
  readonly apps: readonly AppStatus[];
  /** The last runs of all apps, newest first; those in progress stand with their app. */
  readonly runs: readonly RunStatus[];
}

/** "Am I safe?" `safe`: all is well; `attention`: backups are good, something is not; `danger`: a backup is missing or bad. */
export interface Overall {
  readonly level: "safe" | "attention" | "danger";
  /** One sentence for people, the first thing that the page says. */
  readonly sentence: string;
}

export interface NasStatus {
  /** undefined: nobody could be asked yet. */
  readonly reachable?: boolean;
  /** Since when it has been as it is. */
  readonly since?: string;
  /** When that was last seen. */
  readonly checkedAt?: string;
  /** Of the file system that holds the export, as last known. */
  readonly freeBytes?: number;
  readonly totalBytes?: number;
}

/** NATS, and what has not got there. */
export interface EventsStatus {
  readonly connected: boolean;
  readonly since: string;
  /** Outcomes that wait to be told, by app; no entry: none. As last known. */
  readonly undelivered: Readonly<Record<string, number>>;
}

export interface NotifyStatus {
  readonly lastDeliveredAt?: string;
  /** Events on their way to people. */
  readonly waiting?: number;
  /** Messages that were put aside because no channel takes them. */
  readonly parked: number;
}

/** `problem`: a backup is in danger, or missing; `warning`: somebody should look; `info`: to be known. */
export type Severity = "info" | "warning" | "problem";

export interface Condition {
  /** Stable: "late:factorio", "nas:away", "undelivered". */
  readonly id: string;
  readonly app?: string;
  readonly severity: Severity;
  /** One sentence for people. */
  readonly message: string;
  /** The command that mends it: "make backup-factorio". A sentence where no command does. */
  readonly hint?: string;
  readonly since: string;
  /** Whether people were told. */
  readonly told: boolean;
}

/**
 * What the app is in one word; the first that fits, in this order:
 * `unknown` its function does not answer, `paused` a person said so, `running`, `waiting` backups wait for a person,
 * `failed` the last backup did, `late` a backup should have run and has not, `never` there is none yet, `away` all was
 * well when the NAS was last seen, `ok`.
 */
export type AppState = "ok" | "late" | "failed" | "running" | "waiting" | "paused" | "never" | "away" | "unknown";

export interface AppStatus {
  readonly app: string;
  readonly type: string;
  readonly title: string;
  readonly state: AppState;
  /** What that means, for people: "The backup that was due at 06:00 has not run." */
  readonly sentence: string;
  /** With `unknown`: since when it has not answered. The rest is what was known then. */
  readonly unknownSince?: string;
  /** The backup that is due and has not run was due then. Also while it runs, or is paused. */
  readonly lateSince?: string;
  /** Why backups wait for a person. */
  readonly waiting?: string;
  readonly pausedUntil?: string;
  /** The last backup that was created or found unchanged. */
  readonly lastGood?: { readonly at: string; readonly outcome: string };
  /** The last backup run that has ended, however. */
  readonly lastRun?: RunStatus;
  /** Backup runs that have failed or were refused since the last good one. */
  readonly failedInARow: number;
  readonly nextRunAt?: string;
  /** In words: "every 6 hours". undefined: only by hand. */
  readonly schedule?: string;
  /** The longest that its schedule lets pass between two runs: a day for "daily at 03:00". */
  readonly intervalMs?: number;
  readonly running?: RunningStatus;
  /** The last 30 days, oldest first, today last. */
  readonly days: readonly DayStatus[];
  /** What a backup weighed when it was made, oldest first; unchanged ones may be left out. */
  readonly sizes: readonly { readonly at: string; readonly sizeBytes: number }[];
  /** Newest first. */
  readonly points: readonly PointStatus[];
  /** How many of them retention keeps. */
  readonly keep: number;
  readonly drill: CheckStatus;
  readonly scrub: CheckStatus;
}

export interface RunStatus
  extends Pick<Outcome, "app" | "operation" | "outcome" | "startedAt" | "startedBy" | "finishedAt" | "durationMs"> {
  readonly runId: string;
  /** One sentence for people. */
  readonly message: string;
  /** What the restore point weighs that it made, found unchanged or restored. */
  readonly sizeBytes?: number;
}

export interface RunningStatus extends Pick<Progress, "doneBytes" | "totalBytes"> {
  readonly runId: string;
  readonly operation: string;
  readonly startedAt: string;
  readonly startedBy: string;
  /** "copying", "verifying"; undefined: it has not said anything yet. */
  readonly phase?: string;
}

/**
 * The worst of a day: a `late` backup is one that did not run that day, or ran only after it was called late.
 * `none`: no backup was due, or the app was not there yet. What retention removed since stays what it was.
 */
export interface DayStatus {
  /** "2026-01-31", in the view's time zone. */
  readonly date: string;
  readonly state: "ok" | "unchanged" | "failed" | "late" | "none" | "paused";
  /** Backup runs that ended that day. */
  readonly runs: number;
}

export interface PointStatus
  extends Pick<PointView, "id" | "takenAt" | "sizeBytes" | "pinned" | "latest" | "verified"> {
  /** When a scrub last read it back and found it right. */
  readonly scrubbedAt?: string;
  /** What is wrong with it, for people; undefined: nothing is known to be. */
  readonly damaged?: string;
  /** A drill restored it and compared it with what was recorded. `recoverySeconds`: how long the restore itself took. */
  readonly proven?: { readonly at: string; readonly tookMs: number; readonly recoverySeconds: number };
  /** The command that restores it: "make restore-factorio AT=20260131-060000". */
  readonly restore: string;
}

/** Drills or scrubs of an app. */
export interface CheckStatus {
  readonly last?: {
    readonly at: string;
    /** A scrub that found all well has `proven` the bytes. `inconclusive`: it could not tell, for want of space or a server. */
    readonly result: "proven" | "failed" | "inconclusive";
    readonly message: string;
    readonly tookMs: number;
    /** The restore point that a drill restored. */
    readonly pointId?: string;
    /** What a scrub read, and what there is to read; less when it goes on later. */
    readonly doneBytes?: number;
    readonly totalBytes?: number;
  };
  readonly nextAt?: string;
}
