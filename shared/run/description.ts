import { z } from "zod";

/** Overrides are named one by one; there is no blanket force. */
export const Override = z.enum(["smaller", "replaced", "superuser-owner"]);
export type Override = z.infer<typeof Override>;
/*
 * smaller          publish although the source is suddenly much smaller
 * replaced         back up although the source is another one than before, and go on with it
 * superuser-owner  PostgreSQL: give objects to a superuser that the dump says belong to one
 */

/** An app's name: its folder on the NAS, a make target, a part of run ids. */
export const AppName = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, "lower-case letters, digits and -");

const app = AppName.optional();
const allow = z.array(Override).default([]);
/** A name from the list, an id, a date and time with offset, or a local time: `points.ts` resolves it. */
const at = z.string().min(1).max(200).optional();
const timeZone = z.string().min(1).max(100).optional();
/** One part of the backup alone: a model. */
const only = z.string().min(1).max(500).optional();

/** What a backup function may be asked to do. */
export const BackupRequest = z.discriminatedUnion("operation", [
  z.strictObject({ operation: z.literal("backup"), app, allow }),
  z.strictObject({ operation: z.literal("pin"), app, at: at.unwrap(), timeZone }),
  z.strictObject({ operation: z.literal("unpin"), app, at: at.unwrap(), timeZone }),
  z.strictObject({ operation: z.literal("accept"), app }),
  z.strictObject({ operation: z.literal("flush"), app }),
  /** Takes over what another system has put on the NAS. */
  z.strictObject({ operation: z.literal("adopt"), app }),
  /** Until its end, or a resume, only what carries the token runs: for an upgrade, for a move. */
  z.strictObject({
    operation: z.literal("pause"),
    app,
    forSeconds: z
      .number()
      .int()
      .min(60)
      .max(31 * 86_400),
  }),
  z.strictObject({ operation: z.literal("resume"), app }),
  /** Reads what is due back against its checksums; everything with `all`. */
  z.strictObject({ operation: z.literal("scrub"), app, all: z.boolean().default(false) }),
]);

/** What a restore function may be asked to do. */
export const RestoreRequest = z.discriminatedUnion("operation", [
  z.strictObject({
    operation: z.literal("restore"),
    app,
    at,
    timeZone,
    to: z.string().min(1).max(1000).optional(),
    only,
    allow,
  }),
  /** What a restore would replace by what; changes nothing, takes no lock. */
  z.strictObject({ operation: z.literal("plan"), app, at, timeZone, only }),
  z.strictObject({ operation: z.literal("undo"), app }),
  /** Restores a backup into scratch space and compares it; without `at` the newest and older ones take turns. */
  z.strictObject({ operation: z.literal("drill"), app, at, timeZone }),
]);

/** What a cleanup function may be asked to do. */
export const CleanupRequest = z.discriminatedUnion("operation", [
  z.strictObject({ operation: z.literal("cleanup"), app }),
]);

export type RunRequest =
  | z.infer<typeof BackupRequest>
  | z.infer<typeof RestoreRequest>
  | z.infer<typeof CleanupRequest>;
export type Operation = RunRequest["operation"];

/** One run of one app, as it is handed to a runner. */
export const RunDescription = z.object({
  /** Comes from the function and the call's id, so that a second delivery of one call finds the first one's run. */
  id: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,200}$/),
  /** The function that was called: "backup-factorio". */
  function: z.string(),
  app: AppName,
  request: z.union([BackupRequest, RestoreRequest, CleanupRequest]),
  /** Who asked, for people: "cron", "make on kitchen-mac". */
  startedBy: z.string(),
  /** RFC 3339, UTC. */
  startedAt: z.string(),
  /** The call carried the token: it runs in a pause, too. */
  authorised: z.literal(true).optional(),
});
export type RunDescription = z.infer<typeof RunDescription>;

/**
 * Runs that get into each other's way share a lane, which has one lock: at most one of them runs at a time.
 * "main" changes backups or the app's data. Scrubs and drills only read, so each has a lane of its own, and neither
 * blocks a backup or a restore. "none": only looks; no lock, no outcome record, no event.
 */
export type Lane = "main" | "scrub" | "drill" | "none";

export function laneOf(operation: Operation): Lane {
  if (operation === "scrub" || operation === "drill") return operation;
  return operation === "plan" ? "none" : "main";
}
