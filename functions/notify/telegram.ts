import { request } from "./http.ts";
import { type Correction, readAnswer } from "./telegram-answer.ts";
import { shortenTo, type Text, toHtml, toPlain } from "./text.ts";
import type { Told } from "./told.ts";

export interface TelegramOptions {
  /** "https://api.telegram.org" */
  base: string;
  /** The bot's token; read for each message, since a secret may be changed. */
  token: () => Promise<string | undefined>;
  timeoutMs: number;
  /** Where a chat has moved to that was asked for under its old id. */
  movedTo?: (chat: string) => string | undefined;
  /** A group was upgraded and has another id from now on. */
  onMoved?: (from: string, to: string) => Promise<void>;
}

export interface TelegramMessage {
  chat: string;
  topic?: number;
  text: Text;
  /** Without a sound. */
  silent: boolean;
}

export interface Telegram {
  send(message: TelegramMessage): Promise<Told>;
}

const maximumLength = 4096;

/** Sends messages by the Bot API. What goes wrong is a value; the token is in no text that leaves here. */
export function telegramClient({ base, token, timeoutMs, movedTo, onMoved }: TelegramOptions): Telegram {
  const post = async (secret: string, parameters: object): Promise<Told | Correction> => {
    const init = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(parameters),
    };
    const answer = await request(`${base}/bot${secret}/sendMessage`, init, { timeoutMs });
    return "status" in answer ? withoutSecret(readAnswer(answer), secret) : answer;
  };

  return {
    async send(message) {
      const secret = await token();
      if (secret === undefined || !/^\d+:[\w-]+$/.test(secret)) {
        const why = secret === undefined ? "there is no bot token" : "the bot token is not one";
        const hint = "Take it from @BotFather; it looks like 123456789:AAF…";
        return { outcome: "permanent", about: "channel", why, hint };
      }
      let { chat, topic, text } = message;
      chat = movedTo?.(chat) ?? chat;
      let plain = false;
      const notes: string[] = [];
      // Each correction is made once, so this ends.
      for (let attempt = 1; ; attempt++) {
        const shown = shortenTo(withNotes(text, notes), maximumLength);
        const told = await post(secret, {
          chat_id: chat,
          ...(topic !== undefined && { message_thread_id: topic }),
          ...(plain ? { text: toPlain(shown) } : { text: toHtml(shown), parse_mode: "HTML" }),
          ...(message.silent && { disable_notification: true }),
          link_preview_options: { is_disabled: true },
        });
        if ("outcome" in told) return told.outcome === "taken" ? { ...told, notes } : told;
        if (attempt > 4) return { outcome: "permanent", about: "message", why: "Telegram refuses each form of it" };
        switch (told.correct) {
          case "chat":
            await onMoved?.(chat, told.to);
            chat = told.to;
            notes.push("This group was upgraded and has a new id. It is remembered; put it into the settings as well.");
            break;
          case "topic":
            topic = undefined;
            notes.push("The topic that this was meant for is gone, or closed. Set another one, or none.");
            break;
          case "marks":
            plain = true;
            break;
          case "length":
            text = shortenTo(text, maximumLength / 2);
        }
      }
    },
  };
}

/** The run's id stays at the end. */
const withNotes = (text: Text, notes: readonly string[]): Text =>
  notes.length === 0 ? text : [...text.slice(0, -1), ...notes.map((note) => [`Note: ${note}`]), ...text.slice(-1)];

function withoutSecret(told: Told | Correction, secret: string): Told | Correction {
  return "why" in told ? { ...told, why: told.why.replaceAll(secret, "[token]") } : told;
}
