import { createHash } from "node:crypto";
import type { Lane } from "../run/description.ts";

/* What Keepsake calls its objects on a cluster, and what it writes on them. */

const prefix = "keepsake.dev";

export const labels = {
  app: `${prefix}/app`,
  lane: `${prefix}/lane`,
} as const;

export const annotations = {
  /** The RunDescription as JSON: on a Job, on the template of its pod, on a Lease that is held. */
  run: `${prefix}/run`,
  /** On a Job: somebody has asked it to end. When, RFC 3339. */
  cancelled: `${prefix}/cancelled`,
  /** On a Job that ended before any runner began: its Outcome as JSON. Nobody else could write it down. */
  outcome: `${prefix}/outcome`,
  /** On such a Job: its outcome was told. When, RFC 3339. */
  told: `${prefix}/told`,
} as const;

/** The container of a run's pod in which the runner is. */
export const runnerContainer = "runner";

/**
 * The suspended CronJob that the runs of an app are made from.
 * @param shape Of runs whose pod has more than the runner in it: "render".
 */
export const cronJobName = (app: string, shape?: string): string =>
  `keepsake-${app}${shape === undefined ? "" : `-${shape}`}`;

/** Comes from the run's id, so that a second start of it fails. */
export const jobName = (app: string, runId: string): string =>
  `keepsake-${app}-${createHash("sha256").update(runId).digest("hex").slice(0, 12)}`;

/** The lock of a lane. */
export const leaseName = (app: string, lane: Exclude<Lane, "none">): string =>
  lane === "main" ? `keepsake-${app}` : `keepsake-${app}-${lane}`;
