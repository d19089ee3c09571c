import { z } from "zod";

const Failure = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().optional(),
  retryable: z.boolean().optional(),
});

/**
 * What a message tells of an outcome: as much of `Outcome` as is needed, read with forbearance. A run of a later
 * version, with outcomes and failures that have no name here, is told as well.
 */
export const OutcomeData = z.object({
  runId: z.string(),
  app: z.string(),
  title: z.string().optional(),
  operation: z.string(),
  outcome: z.string(),
  startedBy: z.string().optional(),
  finishedAt: z.string().optional(),
  durationMs: z.number().optional(),
  message: z.string(),
  failure: Failure.optional(),
  point: z.object({ takenAt: z.string(), files: z.array(z.object({ sizeBytes: z.number() })) }).optional(),
  previousSizeBytes: z.number().optional(),
  removed: z.array(z.string()).optional(),
  pointCount: z.number().optional(),
  scrub: z.object({ damaged: z.array(z.object({ file: z.string(), why: z.string() })) }).optional(),
  drill: z
    .object({ tookMs: z.number().optional(), compared: z.array(z.string()), hindrance: Failure.optional() })
    .optional(),
  restoredTo: z.string().optional(),
  mended: z.array(z.string()).optional(),
  warnings: z.array(z.string()).default([]),
});
export type OutcomeData = z.infer<typeof OutcomeData>;
