import type { Pace } from "../pace.ts";
import type { ReadSecret } from "../secret.ts";
import type { NotifySettings } from "../settings.ts";
import { telegramClient } from "../telegram.ts";
import type { Channel } from "./channel.ts";

/** Chats by their old id, with their new one. */
export interface MovedChats {
  get(chat: string): string | undefined;
  moved(from: string, to: string): Promise<void>;
}

export interface TelegramChannelOptions {
  settings: NonNullable<NotifySettings["telegram"]>;
  readSecret: ReadSecret;
  pace: Pace;
  moved: MovedChats;
  now: () => number;
  timeoutMs: number;
}

export function telegramChannel({
  settings,
  readSecret,
  pace,
  moved,
  now,
  timeoutMs,
}: TelegramChannelOptions): Channel {
  const client = telegramClient({
    base: settings.apiBase.replace(/\/+$/, ""),
    token: () => readSecret(settings.tokenSecret),
    timeoutMs,
    movedTo: (chat) => moved.get(chat),
    onMoved: (from, to) => moved.moved(from, to),
  });
  const usual = "the usual chat";
  // What the usual chat was when it was last written to: a limit holds for the chat, however it is named.
  let usualChat: string | undefined;
  const keyOf = (chat: string | undefined) => {
    const asked = chat ?? usualChat;
    return asked === undefined ? usual : (moved.get(asked) ?? asked);
  };
  return {
    name: "telegram",
    // Not the usual chat's id, which may be put right: what the wrong one refused would stand there for ever.
    placeOf: ({ chat }) => chat ?? usual,
    readyAt: ({ chat }) => pace.readyAt(keyOf(chat)),
    async send({ message, silent, chat: asked, topic }) {
      usualChat = await readSecret(settings.chatSecret);
      const chat = asked ?? usualChat;
      if (chat === undefined || !/^-?\d+$|^@\w+$/.test(chat)) {
        const why = chat === undefined ? "there is no chat to write to" : "the id of the chat is not one";
        const hint = `Put the chat's id into the secret "${settings.chatSecret}", or into notify.telegram.chat.`;
        return { outcome: "permanent", about: "channel", why, hint };
      }
      const told = await client.send({ chat, text: message.text, silent, ...(topic !== undefined && { topic }) });
      const key = keyOf(chat);
      pace.sent(key, now());
      if (told.outcome === "wait") pace.holdUntil(key, now() + told.afterMs);
      return told;
    },
  };
}
