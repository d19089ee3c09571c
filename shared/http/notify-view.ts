import { z } from "zod";

/* What the function `notify` answers. */

const ChannelState = z.object({
  name: z.string(),
  /** Everything goes to `main`; what stands in is told what a main channel does not take. */
  role: z.enum(["main", "stands in"]),
  /** It takes no messages at the moment. */
  refusing: z
    .object({
      since: z.string(),
      why: z.string(),
      hint: z.string().optional(),
      /** Nothing changes until somebody does something. */
      permanent: z.boolean(),
      nextTryAt: z.string(),
    })
    .optional(),
});

/** `GET /` as JSON. Times are RFC 3339. */
export const NotifyView = z.object({
  function: z.literal("notify"),
  /** No channel is set up: events are only logged. */
  configured: z.boolean(),
  /** NATS is where events come from, and where it is kept what was told. */
  nats: z.object({ connected: z.boolean(), why: z.string().optional() }),
  /** Events that are known to wait for being told. */
  waiting: z.number(),
  oldestWaitingAt: z.string().optional(),
  /** Since the function started. */
  lastTold: z.object({ at: z.string(), title: z.string() }).optional(),
  channels: z.array(ChannelState),
  /** What could not be told; absent while NATS is away. */
  parked: z.array(z.object({ id: z.string(), subject: z.string(), why: z.string(), parkedAt: z.string() })).optional(),
  /** Why the last call of a ping's address failed. */
  pingError: z.string().optional(),
});
export type NotifyView = z.infer<typeof NotifyView>;

/** The answer to `{"operation": "test"}`: what each channel said. A problem when one has not taken it. */
export const TrialView = z.object({
  channels: z.array(z.object({ name: z.string(), messageId: z.string().optional(), notes: z.array(z.string()) })),
});
export type TrialView = z.infer<typeof TrialView>;

/** The answer to `{"operation": "retry-parked"}`. */
export const RetryView = z.object({ retried: z.number() });
export type RetryView = z.infer<typeof RetryView>;

/** The answer to an event that was handed in; 202 while it is `waiting`. */
export const HandedInView = z.object({
  event: z.string(),
  fate: z.enum(["told", "logged", "off", "for the digest", "waiting"]),
});
export type HandedInView = z.infer<typeof HandedInView>;
