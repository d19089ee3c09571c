import { z } from "zod";

/** CloudEvents 1.0 attributes, JSON format (https://github.com/cloudevents/spec). Additions pass. */
const envelope = {
  specversion: z.literal("1.0"),
  /** Comes from the run's id and stays the same for ever: consumers drop what they have seen. */
  id: z.string().min(1),
  /** "/keepsake/<app>" */
  source: z.string().min(1),
  /** RFC 3339. */
  time: z.string(),
  datacontenttype: z.literal("application/json"),
};

/** The subject of an event on NATS; its type is `keepsake.<subject>.v1`. */
export const subjects = {
  /** A backup that made a restore point, or found nothing changed. */
  completed: "backups.completed",
  /** A source or a request that was refused. */
  refused: "backups.refused",
  failed: "backups.failed",
  /** Cancelled by a person. */
  cancelled: "backups.cancelled",
  restored: "backups.restored",
  /** Pinned, unpinned, accepted, undone. */
  changed: "backups.changed",
} as const;
export type Subject = (typeof subjects)[keyof typeof subjects];

const typeOf = (subject: Subject) => `keepsake.${subject}.v1`;

/** What an event tells: the outcome of a run. Its full schema is the core's; here what any consumer may lean on. */
export const EventData = z.looseObject({
  runId: z.string(),
  app: z.string(),
  operation: z.string(),
  outcome: z.string(),
  message: z.string(),
});

export const Event = z.looseObject({
  ...envelope,
  type: z.enum(Object.values(subjects).map(typeOf) as [string, ...string[]]),
  subject: z.enum(Object.values(subjects) as [Subject, ...Subject[]]),
  data: EventData,
});
export type Event = z.infer<typeof Event>;

/** The event that tells how a run ended. */
export function eventOf(data: z.infer<typeof EventData> & { finishedAt: string }): Event {
  const subject = subjectOf(data.outcome);
  return {
    specversion: "1.0",
    id: `${data.runId}.outcome`,
    source: `/keepsake/${data.app}`,
    type: typeOf(subject),
    subject,
    time: data.finishedAt,
    datacontenttype: "application/json",
    data,
  };
}

function subjectOf(outcome: string): Subject {
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
    default:
      return subjects.changed;
  }
}
