import { z } from "zod";
import { failures } from "../failures.ts";

/*
 * What a run tells: lines of JSON on the runner's standard output, the last one its outcome. The functions pass
 * them on as server-sent events, the clients read them; the outcome is also what the record on the NAS holds.
 */

const ms = z.number();

export const Progress = z.object({
  type: z.literal("progress"),
  at: z.string(),
  /** A short verb phrase: "copying", "verifying". */
  phase: z.string(),
  doneBytes: z.number().optional(),
  totalBytes: z.number().optional(),
});
export type Progress = z.infer<typeof Progress>;

export const Warning = z.object({ type: z.literal("warning"), at: z.string(), message: z.string() });
export type Warning = z.infer<typeof Warning>;

export const FileFact = z.object({ name: z.string(), sizeBytes: z.number(), sha256: z.string() });
export type FileFact = z.infer<typeof FileFact>;

/** What would be put in the place of what: the answer of `plan`, and part of a restore's outcome. */
export const Plan = z.object({
  /** undefined: there is no backup to restore. */
  point: z
    .object({
      id: z.string(),
      takenAt: z.string(),
      sizeBytes: z.number(),
      verified: z.boolean(),
      files: z.array(z.string()),
      from: z.string(),
    })
    .optional(),
  /** undefined: nothing is there. */
  present: z
    .object({
      label: z.string(),
      sizeBytes: z.number().optional(),
      changedAt: z.string().optional(),
      newerThanPoint: z.boolean(),
    })
    .optional(),
  stopsApp: z.boolean(),
  /** What an undo would put back: the newest set-aside state. */
  undo: z.object({ label: z.string(), setAsideAt: z.string() }).optional(),
});
export type Plan = z.infer<typeof Plan>;

/** How runs end. The first group went well, the second did not. */
export const goodOutcomes = [
  "created", "unchanged", "postponed", "restored", "undone", "pinned", "unpinned", "accepted", "flushed", "cleaned", "planned",
  "scrubbed", "proven", "paused", "resumed", "adopted",
] as const; // biome-ignore format: one line reads better
/** A drill that could not tell: nothing is known to be wrong, and nothing was proven. */
export const openOutcomes = ["inconclusive"] as const;
export const badOutcomes = ["refused", "failed", "cancelled", "interrupted"] as const;

const failure = z.object({
  code: z.enum(Object.keys(failures) as [keyof typeof failures, ...(keyof typeof failures)[]]),
  message: z.string(),
  hint: z.string().optional(),
  retryable: z.boolean(),
});

/** What a scrub found. */
export const ScrubFinding = z.object({
  /** What this run read back. */
  files: z.number(),
  bytes: z.number(),
  /** All that there is to read back, in turn. */
  totalFiles: z.number(),
  totalBytes: z.number(),
  /** The oldest moment at which one of all these was read back; absent while some never were. */
  allSince: z.string().optional(),
  /** Paths below the export that are not what they were, or are missing, with why; known ones too. */
  damaged: z.array(z.object({ file: z.string(), why: z.string() })),
  /** Ids of the restore points that are still good, newest first. */
  good: z.array(z.string()),
});
export type ScrubFinding = z.infer<typeof ScrubFinding>;

/** What a drill found out. */
export const DrillFinding = z.object({
  pointId: z.string().optional(),
  /** How long verifying and restoring took: the recovery time to expect. Absent when it did not come to its end. */
  tookMs: z.number().optional(),
  /** What was compared with what was recorded, for people: "6 tables, 1200 rows". */
  compared: z.array(z.string()),
  /** Of an inconclusive one: why it could not tell, and what to do. */
  hindrance: failure.optional(),
});
export type DrillFinding = z.infer<typeof DrillFinding>;

/** What another system had put on the NAS. */
export const Adoption = z.object({
  /** Files, or parts of a mirror, that were read and found whole. */
  proven: z.array(z.string()),
  /** What nobody can vouch for, and why; it is left as it is. */
  unproven: z.array(z.object({ file: z.string(), why: z.string() })),
});
export type Adoption = z.infer<typeof Adoption>;

export const Outcome = z.object({
  type: z.literal("outcome"),
  runId: z.string(),
  function: z.string(),
  app: z.string(),
  title: z.string(),
  operation: z.string(),
  outcome: z.enum([...goodOutcomes, ...openOutcomes, ...badOutcomes]),
  startedAt: z.string(),
  startedBy: z.string(),
  finishedAt: z.string(),
  durationMs: ms,
  /** One sentence for people: what happened. */
  message: z.string(),
  /** With a bad outcome: what went wrong, and what to do. */
  failure: failure.optional(),
  /** The restore point that was made, found unchanged, restored or pinned. */
  point: z.object({ id: z.string(), takenAt: z.string(), files: z.array(FileFact) }).optional(),
  /** Size of the point that was the newest before, for "grew by". */
  previousSizeBytes: z.number().optional(),
  /** Names under history/ that retention removed in this run. */
  removed: z.array(z.string()).optional(),
  /** A second event that is told with this outcome: it wakes the function that goes on from here. */
  announces: z.literal("mapshot.rendered").optional(),
  /** Restore points that are there after the run. */
  pointCount: z.number().optional(),
  plan: Plan.optional(),
  /** `TO=`: where the data was put. */
  restoredTo: z.string().optional(),
  scrub: ScrubFinding.optional(),
  drill: DrillFinding.optional(),
  adoption: Adoption.optional(),
  /** What this run put in order that an earlier one had left: a rolled back restore, removed staging, a started app. */
  mended: z.array(z.string()).optional(),
  warnings: z.array(z.string()),
});
export type Outcome = z.infer<typeof Outcome>;

export const RunLine = z.discriminatedUnion("type", [Progress, Warning, Outcome]);
export type RunLine = z.infer<typeof RunLine>;

/** `GET /runs/<id>` as JSON. */
export const RunView = z.object({
  id: z.string(),
  /** `running`, or how it ended. A parent run of several apps is as bad as the worst of them. */
  status: z.enum(["running", ...goodOutcomes, ...openOutcomes, ...badOutcomes]),
  function: z.string(),
  app: z.string().optional(),
  operation: z.string(),
  startedAt: z.string(),
  startedBy: z.string(),
  /** True in the answer to a POST that found this run in progress, or was a second delivery. */
  joined: z.boolean().optional(),
  progress: Progress.optional(),
  outcome: Outcome.optional(),
  /** Of a parent run: one for each app. */
  runs: z
    .array(z.object({ id: z.string(), app: z.string(), status: z.string(), outcome: Outcome.optional() }))
    .optional(),
});
export type RunView = z.infer<typeof RunView>;

export const PointView = z.object({
  id: z.string(),
  takenAt: z.string(),
  sizeBytes: z.number(),
  files: z.array(z.string()),
  /** Checksums are known and were true when it was made; a file of the incumbent's has none. */
  verified: z.boolean(),
  pinned: z.boolean(),
  /** It is what latest.* holds. */
  latest: z.boolean(),
  facts: z.record(z.string(), z.unknown()).optional(),
  /** All its files were read back since and were what they had to be; the oldest of these moments. */
  scrubbedAt: z.string().optional(),
  /** A drill has restored it and found what was recorded. `tookMs`: the recovery time to expect. */
  proven: z.object({ at: z.string(), tookMs: z.number() }).optional(),
  /** It counts for nothing: since when that is known, and why. */
  damaged: z.object({ at: z.string(), why: z.string() }).optional(),
});
export type PointView = z.infer<typeof PointView>;

/** A run in progress. */
const Running = z.object({ runId: z.string(), operation: z.string(), startedBy: z.string(), startedAt: z.string() });

/** One app in `GET /` as JSON. */
export const AppView = z.object({
  app: z.string(),
  type: z.string(),
  title: z.string(),
  /** Newest first. */
  points: z.array(PointView),
  lastOutcome: Outcome.optional(),
  lastGood: z.object({ at: z.string(), outcome: z.string() }).optional(),
  running: Running.optional(),
  /** Scrubs and drills in progress: they keep nothing else from running. */
  checking: z.array(Running).optional(),
  /** How the last scrub and the last drill ended. */
  lastScrub: Outcome.optional(),
  lastDrill: Outcome.optional(),
  /** Backups wait until a restore, or until this is accepted. */
  waiting: z.string().optional(),
  /** RFC 3339: until then nothing runs by itself. Absent when it is not paused. */
  pausedUntil: z.string().optional(),
  keep: z.number(),
  /** Restore points that retention would remove now: none right after a good backup. */
  expired: z.number().optional(),
  /** Outcomes that were not told yet. */
  waitingOutcomes: z.number().optional(),
  /** What killed runs have left, for people; any run puts it right. */
  left: z.array(z.string()).optional(),
});
export type AppView = z.infer<typeof AppView>;

/** `GET /` as JSON. */
export const StateView = z.object({
  function: z.string(),
  type: z.string(),
  apps: z.array(AppView),
  /** Of the file system that holds the export. */
  nas: z.object({ freeBytes: z.number(), totalBytes: z.number() }).optional(),
});
export type StateView = z.infer<typeof StateView>;

/** RFC 9457, `application/problem+json`. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  code: z.string(),
  detail: z.string(),
  hint: z.string().optional(),
  retryable: z.boolean(),
  /** With `app_busy`: who runs, since when. */
  running: AppView.shape.running,
  /** When a run ended with it. */
  run: RunView.optional(),
});
export type Problem = z.infer<typeof Problem>;
