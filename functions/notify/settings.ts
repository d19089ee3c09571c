import { z } from "zod";
import { Failure } from "../../shared/failures.ts";

/*
 * The section `notify` of keepsake.yaml. Nothing in it is a secret: what is one is a file in the folder of secrets, and
 * stands here by its name.
 */

/** What an event is, for whoever says how it shall be told: how its run ended, or what the watch has found. */
export const kinds = [
  "created", "unchanged", "postponed", "restored", "undone", "pinned", "unpinned", "accepted", "adopted", "flushed", "cleaned",
  "paused", "resumed", "planned", "proven", "scrubbed", "inconclusive", "refused", "failed", "cancelled", "interrupted",
  "late", "raised", "recovered", "digest",
] as const; // biome-ignore format: one group a line reads better
export type Kind = (typeof kinds)[number];

/** With a sound; without one; only as a line of the next digest; not at all. */
const How = z.enum(["loud", "quiet", "digest", "off"]);
export type How = z.infer<typeof How>;

const chatId = z
  .union([z.number().int(), z.string()])
  .transform(String)
  .refine((id) => /^-?\d+$|^@\w+$/.test(id), 'the id of a chat such as -1001234567890, or "@name"');
const topicId = z.number().int().positive();
const secretName = z.string().regex(/^[\w.-]+$/, "the name of a file in the folder of secrets");
const httpUrl = z.url({ protocol: /^https?$/, error: "an address that starts with https:// or http://" });

/** Where messages go; a topic belongs to the chat beside it, or to the usual one. */
const place = { chat: chatId.optional(), topic: topicId.optional() };

const Rule = z.union(
  [How.transform((how) => ({ how })), z.strictObject({ how: How.optional(), ...place })],
  { error: 'loud, quiet, digest or off, or {how, chat, topic}' },
); // biome-ignore format: as short as it is
const Rules = z.partialRecord(z.enum(kinds), Rule, { error: `one of ${kinds.join(", ")}` });

export const NotifySettings = z.strictObject({
  telegram: z
    .strictObject({
      ...place,
      tokenSecret: secretName.default("telegram-bot-token"),
      /** Read when `chat` is not given here. */
      chatSecret: secretName.default("telegram-chat-id"),
      apiBase: httpUrl.default("https://api.telegram.org"),
      timeoutSeconds: z.number().min(1).max(25).default(15),
    })
    .optional(),
  /** How each kind of event is told. What is not listed is loud, but for `quietUnlessTold`. */
  send: Rules.default({}),
  /** What differs for one app. */
  apps: z.record(z.string(), z.strictObject({ ...place, send: Rules.default({}) })).default({}),
  webhook: z.strictObject({ urlSecret: secretName.default("notify-webhook-url") }).optional(),
  ntfy: z
    .strictObject({
      url: httpUrl.default("https://ntfy.sh"),
      /** Who knows the topic's name can read it, so it is a secret. */
      topicSecret: secretName.default("ntfy-topic"),
      tokenSecret: secretName.optional(),
    })
    .optional(),
  /** Addresses that are called after each backup, so that somebody outside notices when the calls end. */
  ping: z
    .strictObject({
      /** For all apps that have none of their own. */
      urlSecret: secretName.optional(),
      apps: z.record(z.string(), secretName).default({}),
    })
    .optional(),
  /** How long Telegram may take nothing before the other channels are told, in minutes. */
  otherChannelsAfterMinutes: z.number().min(0).max(1440).default(10),
});
export type NotifySettings = z.infer<typeof NotifySettings>;

/**
 * @param given What stands under `notify` in keepsake.yaml.
 * @param apps The names of the apps there are.
 * @throws {Failure} `invalid_config`, naming every mistake by its path.
 */
export function readSettings(given: unknown, apps: readonly string[]): NotifySettings {
  const parsed = NotifySettings.safeParse(given ?? {});
  const problems = parsed.success ? [] : parsed.error.issues.flatMap((issue) => problemsOf(issue, ["notify"]));
  if (parsed.success) {
    for (const at of ["apps", "ping.apps"] as const) {
      const named = Object.keys((at === "apps" ? parsed.data.apps : parsed.data.ping?.apps) ?? {});
      for (const name of named.filter((name) => !apps.includes(name)))
        problems.push(`notify.${at}.${name}: one of ${apps.join(", ")} is wanted as the name of an app`);
    }
    if (problems.length === 0) return parsed.data;
  }
  throw new Failure("invalid_config", `Cannot use the settings of notify:\n  ${problems.join("\n  ")}`, {
    hint: "The README lists every setting with its default and meaning.",
  });
}

/** A key that is not allowed stands in its own path, and not in that of the object around it. */
function problemsOf(issue: z.core.$ZodIssue, at: readonly string[]): string[] {
  const path = [...at, ...issue.path.map(String)];
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => `${[...path, key].join(".")}: no such setting`);
  return [`${path.join(".")}: ${issue.message}`];
}
