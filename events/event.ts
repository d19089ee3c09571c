import { z } from "zod";

/** CloudEvents 1.0 attributes, JSON format (https://github.com/cloudevents/spec). Additions pass. */
const envelope = {
  specversion: z.literal("1.0"),
  /** Stays the same for ever, however often the event is told: consumers drop what they have seen. */
  id: z.string().min(1),
  /** "/keepsake/<app>", or "/keepsake" for what concerns no single app. */
  source: z.string().min(1),
  /** RFC 3339. */
  time: z.string(),
  datacontenttype: z.literal("application/json"),
};

/** The subjects of events on NATS; an event's type is `keepsake.<subject>.v1`. */
export const subjects = {
  /** A backup that made a restore point, or found nothing changed. */
  completed: "backups.completed",
  /** A source or a request that was refused. */
  refused: "backups.refused",
  failed: "backups.failed",
  /** Cancelled by a person. */
  cancelled: "backups.cancelled",
  restored: "backups.restored",
  /** Pinned, unpinned, accepted, undone, adopted. */
  changed: "backups.changed",
  /** A drill that proved a restore point, or a scrub that found all well. */
  proven: "backups.proven",
  /** A drill that could not tell. */
  inconclusive: "backups.inconclusive",
  /** A backup that should have run has not. */
  late: "backups.late",
  /** Any other condition that was found. */
  raised: "backups.raised",
  /** A late backup has run; a condition is over. */
  recovered: "backups.recovered",
  /** Once a day: a summary, already worded. */
  digest: "backups.digest",
  /** A render was published. Beside the outcome event of its run. */
  rendered: "mapshot.rendered",
} as const;
export type Subject = (typeof subjects)[keyof typeof subjects];

const outcomeSubjects = [
  "backups.completed", "backups.refused", "backups.failed", "backups.cancelled", "backups.restored", "backups.changed",
  "backups.proven", "backups.inconclusive",
] as const; // biome-ignore format: one line reads better
const conditionSubjects = ["backups.late", "backups.raised", "backups.recovered", "backups.digest"] as const;

/** What the outcome of a run tells. Its full schema is the core's; here what any consumer may lean on. */
export const EventData = z.looseObject({
  runId: z.string(),
  app: z.string(),
  operation: z.string(),
  outcome: z.string(),
  message: z.string(),
});
export type EventData = z.infer<typeof EventData>;

/** Something that holds for a while, as the watch has found it; or the digest. */
export const ConditionData = z.looseObject({
  /** What it is, the same as long as it holds and whenever it comes back: "late:factorio", "nas:away". */
  condition: z.string().min(1),
  /** undefined: of no single app. */
  app: z.string().optional(),
  /** One sentence for people. */
  message: z.string(),
  /** What to do. */
  hint: z.string().optional(),
  severity: z.enum(["info", "warning", "problem"]),
  /** RFC 3339: since when it holds. */
  since: z.string(),
  details: z.array(z.string()).optional(),
});
export type ConditionData = z.infer<typeof ConditionData>;

const typeOf = <S extends Subject>(subject: S) => `keepsake.${subject}.v1` as const;

const eventSchema = <S extends Subject, D extends z.ZodType>(of: readonly [S, ...S[]], data: D) =>
  z.looseObject({
    ...envelope,
    type: z.enum(of.map(typeOf) as [`keepsake.${S}.v1`]),
    subject: z.enum(of as [S, ...S[]]),
    data,
  });

/** How a run ended. */
export const OutcomeEvent = eventSchema(outcomeSubjects, EventData);
export type OutcomeEvent = z.infer<typeof OutcomeEvent>;

export const ConditionEvent = eventSchema(conditionSubjects, ConditionData);
export type ConditionEvent = z.infer<typeof ConditionEvent>;

/** Its data is that of the run's outcome event. */
export const RenderedEvent = eventSchema(["mapshot.rendered"], EventData);
export type RenderedEvent = z.infer<typeof RenderedEvent>;

export const Event = z
  .discriminatedUnion("type", [OutcomeEvent, ConditionEvent, RenderedEvent])
  .refine(({ type, subject }) => type === typeOf(subject), {
    path: ["subject"],
    error: ({ input }) => `${(input as { type: string }).type} belongs to another subject`,
  });
export type Event = z.infer<typeof Event>;

const envelopeOf = <S extends Subject>(id: string, app: string | undefined, subject: S, time: string) => ({
  specversion: "1.0" as const,
  id,
  source: app === undefined ? "/keepsake" : `/keepsake/${app}`,
  type: typeOf(subject),
  subject,
  time,
  datacontenttype: "application/json" as const,
});

/** The event that tells how a run ended. */
export function eventOf(data: EventData & { finishedAt: string }): OutcomeEvent {
  return { ...envelopeOf(`${data.runId}.outcome`, data.app, subjectOf(data.outcome), data.finishedAt), data };
}

/** What wakes the cleanup after a render run that published one. */
export function renderedEvent(data: EventData & { finishedAt: string }): RenderedEvent {
  return { ...envelopeOf(`${data.runId}.rendered`, data.app, subjects.rendered, data.finishedAt), data };
}

/**
 * The event that tells of a condition; never twice under one id while it holds.
 * @param again How often it was told before, to tell once more that it still holds; 0 the first time.
 */
export function conditionEvent(
  subject: "backups.late" | "backups.raised" | "backups.recovered",
  data: ConditionData,
  { time, again = 0 }: { time: string; again?: number },
): ConditionEvent {
  const what = subject === subjects.recovered ? "recovered" : again > 0 ? `again-${again}` : "raised";
  return { ...envelopeOf(`${data.condition}@${data.since}.${what}`, data.app, subject, time), data };
}

/** @param day "2025-12-19", of the time zone that the user lives by. */
export function digestEvent(data: ConditionData, { day, time }: { day: string; time: string }): ConditionEvent {
  return { ...envelopeOf(`digest-${day}`, data.app, subjects.digest, time), data };
}

function subjectOf(outcome: string): OutcomeEvent["subject"] {
  switch (outcome) {
    case "created":
    case "unchanged":
      return subjects.completed;
    case "refused":
      return subjects.refused;
    case "cancelled":
      return subjects.cancelled;
    case "restored":
      return subjects.restored;
    case "failed":
    case "interrupted":
      return subjects.failed;
    case "proven":
    case "scrubbed":
      return subjects.proven;
    case "inconclusive":
      return subjects.inconclusive;
    default:
      return subjects.changed;
  }
}
