import type { Clock } from "../clock.ts";
import type { Channels } from "../options.ts";
import { Pace } from "../pace.ts";
import type { ReadSecret } from "../secret.ts";
import { NotifySettings } from "../settings.ts";
import type { Channel } from "./channel.ts";
import { ntfyChannel } from "./ntfy.ts";
import { type MovedChats, telegramChannel } from "./telegram.ts";
import { webhookChannel } from "./webhook.ts";

export interface AllChannelsOptions {
  settings: NotifySettings;
  readSecret: ReadSecret;
  moved: MovedChats;
  clock: Clock;
  /** Of each request. */
  timeoutMs?: number;
}

/**
 * The channels that there are. Telegram is one when the settings have it, or as soon as there is a secret with a bot's
 * token; the others stand in for it. Without Telegram everything goes to the others.
 */
export function allChannels({
  settings,
  readSecret,
  moved,
  clock,
  timeoutMs,
}: AllChannelsOptions): () => Promise<Channels> {
  const usual = NotifySettings.parse({ telegram: {} }).telegram as NonNullable<NotifySettings["telegram"]>;
  const telegram = settings.telegram ?? usual;
  const limitMs = timeoutMs ?? telegram.timeoutSeconds * 1000;
  const common = { readSecret, moved, now: clock.now, timeoutMs: limitMs };
  const main = telegramChannel({ ...common, settings: telegram, pace: new Pace() });
  const others: Channel[] = [
    ...(settings.ntfy ? [ntfyChannel(settings.ntfy, readSecret, limitMs)] : []),
    ...(settings.webhook ? [webhookChannel(settings.webhook.urlSecret, readSecret, limitMs)] : []),
  ];
  // A secret that was there and is gone is a mistake to be told, and not the wish to be told nothing any more.
  let isTelegramWanted = settings.telegram !== undefined;
  return async () => {
    isTelegramWanted ||= (await readSecret(telegram.tokenSecret)) !== undefined;
    return isTelegramWanted ? { main: [main], others } : { main: others, others: [] };
  };
}
