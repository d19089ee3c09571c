import type { AppState, AppStatus, RunStatus } from "../view.ts";
import { type AppFamily, each, eachOf, type Family, family, type Sample, secondsOf, unixSeconds } from "./family.ts";

const states = [
  "ok",
  "late",
  "failed",
  "running",
  "waiting",
  "paused",
  "never",
  "away",
  "unknown",
] satisfies AppState[];
/** How backups end. */
const outcomes = [
  "created", "unchanged", "postponed", "refused", "failed", "cancelled", "interrupted",
] satisfies RunStatus["outcome"][]; // biome-ignore format: one line reads better

/** The backups of each app, and what there is to go back to. */
export const appFamilies = (apps: readonly AppStatus[]): Family[] => families.map((measured) => measured(apps));

const families: AppFamily[] = [
  each("keepsake_app_info", "What the app is.", () => 1, ({ type, title }) => ({ type, title })),
  eachOf("keepsake_app_state", "How the app is: the state that it is in has 1.", "state", states, ({ state }) => state),
  each("keepsake_backup_last_success_timestamp_seconds", "When a backup was last created or found unchanged.", ({ lastGood }) => unixSeconds(lastGood?.at)),
  each("keepsake_backup_last_attempt_timestamp_seconds", "When the last backup ended, however.", ({ lastRun }) => unixSeconds(lastRun?.finishedAt)),
  eachOf("keepsake_backup_last_outcome", "How the last backup ended: that outcome has 1.", "outcome", outcomes, ({ lastRun }) => lastRun?.outcome),
  each("keepsake_backup_last_duration_seconds", "How long the last backup took.", ({ lastRun }) => secondsOf(lastRun?.durationMs)),
  each("keepsake_backup_failures_in_a_row", "Backups that failed or were refused since the last good one.", ({ failedInARow }) => failedInARow),
  each("keepsake_backup_late", "Whether a backup was due and has not run.", ({ lateSince }) => Number(lateSince !== undefined)),
  each("keepsake_backup_waiting", "Whether backups wait for a person's word.", ({ waiting }) => Number(waiting !== undefined)),
  each("keepsake_backup_next_timestamp_seconds", "When the next backup is due.", ({ nextRunAt }) => unixSeconds(nextRunAt)),
  each("keepsake_backup_expected_interval_seconds", "The longest that the schedule lets pass between two backups.", ({ intervalMs }) => secondsOf(intervalMs)),
  each("keepsake_run_started_timestamp_seconds", "Since when a run is in progress.", ({ running }) => unixSeconds(running?.startedAt), ({ running }) => ({ operation: running?.operation ?? "" })),
  each("keepsake_backup_size_bytes", "What the newest restore point weighs.", ({ points }) => points[0]?.sizeBytes),
  each("keepsake_restore_points", "Restore points that are there.", ({ points }) => points.length),
  each("keepsake_restore_points_kept", "Restore points that retention keeps.", ({ keep }) => keep),
  (apps) => family("keepsake_restore_points_marked", "Restore points that are pinned, read back, proven or damaged.", apps.flatMap(marked)),
  each("keepsake_restore_point_newest_timestamp_seconds", "When the newest restore point was taken.", ({ points }) => unixSeconds(points[0]?.takenAt)),
  each("keepsake_restore_point_oldest_timestamp_seconds", "When the oldest restore point was taken.", ({ points }) => unixSeconds(points.at(-1)?.takenAt)),
  (apps) => family("keepsake_restore_point_proven_timestamp_seconds", "When a drill proved that a restore point can be restored.", apps.flatMap(proofs)),
]; // biome-ignore format: a table

function marked({ app, points }: AppStatus): Sample[] {
  const marks = {
    pinned: points.filter(({ pinned }) => pinned),
    scrubbed: points.filter(({ scrubbedAt }) => scrubbedAt !== undefined),
    proven: points.filter(({ proven }) => proven !== undefined),
    damaged: points.filter(({ damaged }) => damaged !== undefined),
  };
  return Object.entries(marks).map(([mark, those]) => ({ labels: { app, mark }, value: those.length }));
}

const proofs = ({ app, points }: AppStatus): Sample[] =>
  points.flatMap(({ id, proven }) =>
    proven === undefined ? [] : [{ labels: { app, point: id }, value: unixSeconds(proven.at) }],
  );
