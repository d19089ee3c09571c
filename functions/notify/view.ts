import type { NotifyView } from "../../shared/http/notify-view.ts";
import type { Notifier } from "./notifier.ts";
import type { Refusal } from "./refusals.ts";
import { count } from "./words.ts";

const isoOf = (ms: number) => new Date(ms).toISOString();

export async function notifyView(notifier: Notifier): Promise<NotifyView> {
  const { away, waiting, oldestWaitingAt, lastTold, main, others, pingError } = await notifier.state();
  const parked = await notifier.parked().catch(() => undefined);
  const channel = (role: "main" | "stands in") => (one: { name: string; refusal: Refusal | undefined }) => ({
    name: one.name,
    role,
    ...(one.refusal && { refusing: refusingOf(one.refusal) }),
  });
  return {
    function: "notify",
    configured: main.length > 0,
    nats: { connected: away === undefined, ...(away !== undefined && { why: away }) },
    waiting,
    ...(oldestWaitingAt !== undefined && { oldestWaitingAt: isoOf(oldestWaitingAt) }),
    ...(lastTold && { lastTold: { at: isoOf(lastTold.at), title: lastTold.title } }),
    channels: [...main.map(channel("main")), ...others.map(channel("stands in"))],
    ...(parked && { parked: parked.map(({ raw: _, ...shown }) => shown) }),
    ...(pingError !== undefined && { pingError }),
  };
}

const refusingOf = ({ since, until, why, hint, isPermanent }: Refusal) => ({
  since: isoOf(since),
  why,
  ...(hint !== undefined && { hint }),
  permanent: isPermanent,
  nextTryAt: isoOf(until),
});

/** How to set it up, for whoever has not. */
export const setUpHint =
  'Put the bot\'s token and the chat\'s id into the secrets "telegram-bot-token" and "telegram-chat-id", then: make test-telegram';

/** Readable lines, the first of which says it all. */
export function notifyText(view: NotifyView): string {
  const { configured, nats, waiting, oldestWaitingAt, lastTold, channels, parked = [], pingError } = view;
  const refusing = channels.filter((channel) => channel.refusing).length;
  const all = waiting === 0 ? "Everything that is known of was told." : `${count(waiting, "event")} not told yet.`;
  const lines = [
    configured ? all : `No channel is set up: events are only logged. ${setUpHint}`,
    `  NATS: ${nats.connected ? "connected" : (nats.why ?? "away")}`,
    ...(oldestWaitingAt === undefined ? [] : [`  Waiting since ${oldestWaitingAt}`]),
    ...(lastTold ? [`  Last told: "${lastTold.title}" at ${lastTold.at}`] : []),
    ...channels.map(channelText),
    ...(refusing === 0 ? [] : ["  Once that is put right: make test-telegram"]),
    ...(parked.length === 0 ? [] : [`  Put aside: ${count(parked.length, "event")}. To tell what can be: make retry-parked`]),
    ...parked.map(({ subject, why, id, parkedAt }) => `    ${subject}: ${why} (${id}), since ${parkedAt}`),
    ...(pingError === undefined ? [] : [`  The last ping failed: ${pingError}`]),
  ]; // biome-ignore format: one line reads better
  return `${lines.join("\n")}\n`;
}

function channelText({ name, role, refusing }: NotifyView["channels"][number]): string {
  const who = `  ${name}${role === "main" ? "" : " (stands in)"}: `;
  if (!refusing) return `${who}nothing was refused`;
  const { since, why, hint, nextTryAt } = refusing;
  return `${who}refuses since ${since}: ${why}.${hint === undefined ? "" : ` ${hint}`} Next try at ${nextTryAt}`;
}
