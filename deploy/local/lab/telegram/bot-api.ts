import { EntitiesError, type ParsedText, parseHtml } from "./html-entities.ts";
import { Rates } from "./rates.ts";

/** A chat that the bot may or may not write to. */
export interface Chat {
  type: "private" | "group" | "supergroup";
  /** Threads of a forum; others are "not found". */
  threads?: readonly number[];
  /** A person has blocked the bot, or a group has thrown it out. */
  blocked?: boolean;
  /** The group was upgraded and has this id now. */
  migratedTo?: string;
}

/** A message that was taken. */
export interface TakenMessage {
  readonly id: number;
  readonly chat: string;
  readonly thread?: number;
  /** As people read it. */
  readonly text: string;
  /** As it was sent. */
  readonly source: string;
  readonly entities: ParsedText["entities"];
  readonly silent: boolean;
  readonly at: number;
}

/** An answer of the Bot API (https://core.telegram.org/bots/api#making-requests). */
export interface Answer {
  readonly status: number;
  readonly body: {
    ok: boolean;
    result?: unknown;
    error_code?: number;
    description?: string;
    parameters?: { retry_after?: number; migrate_to_chat_id?: number };
  };
}

export interface BotApiOptions {
  token: string;
  /** By id, "-1001234567890" or "@name". */
  chats: Record<string, Chat>;
  now?: () => number;
}

const maximumLength = 4096;

/** The Bot API as far as a sender of messages meets it, with its rules and the words of its refusals. */
export class BotApi {
  readonly messages: TakenMessage[] = [];
  /** Requests that were answered with 429. */
  flooded = 0;
  readonly chats: Record<string, Chat>;
  readonly token: string;
  readonly #now: () => number;
  readonly #rates: Rates;

  constructor({ token, chats, now = Date.now }: BotApiOptions) {
    this.token = token;
    this.chats = chats;
    this.#now = now;
    this.#rates = new Rates(now);
  }

  /** @param given The parameters of a request, from JSON or a form. */
  answer(token: string, method: string, given: Readonly<Record<string, unknown>>): Answer {
    if (token !== this.token) return refused(401, "Unauthorized");
    switch (method.toLowerCase()) {
      case "getme":
        return taken({
          id: Number(token.split(":")[0]),
          is_bot: true,
          first_name: "Keepsake",
          username: "keepsake_bot",
        });
      case "sendmessage":
        return this.#sendMessage(given);
      default:
        return refused(404, "Not Found: method not found");
    }
  }

  #sendMessage(given: Readonly<Record<string, unknown>>): Answer {
    const chatId = String(given.chat_id ?? "");
    if (chatId === "") return refused(400, "Bad Request: chat_id is empty");
    const source = String(given.text ?? "");
    if (source.trim() === "") return refused(400, "Bad Request: message text is empty");
    const chat = this.chats[chatId];
    if (!chat) return refused(400, "Bad Request: chat not found");
    let parsed: ParsedText;
    try {
      parsed = parse(source, given.parse_mode);
    } catch (error) {
      if (!(error instanceof EntitiesError)) throw error;
      return refused(400, `Bad Request: can't parse entities: ${error.message}`);
    }
    if (parsed.text.trim() === "") return refused(400, "Bad Request: text must be non-empty");
    // `length` counts UTF-16 units, and so does Telegram.
    if (parsed.text.length > maximumLength) return refused(400, "Bad Request: message is too long");
    if (chat.migratedTo !== undefined) {
      return refused(400, "Bad Request: group chat was upgraded to a supergroup chat", {
        migrate_to_chat_id: Number(chat.migratedTo),
      });
    }
    if (chat.blocked) {
      return refused(
        403,
        chat.type === "private"
          ? "Forbidden: bot was blocked by the user"
          : `Forbidden: bot was kicked from the ${chat.type} chat`,
      );
    }
    const thread = given.message_thread_id === undefined ? undefined : Number(given.message_thread_id);
    if (thread !== undefined && !chat.threads?.includes(thread))
      return refused(400, "Bad Request: message thread not found");
    const retryAfter = this.#rates.retryAfter(chatId, chat.type !== "private");
    if (retryAfter !== undefined) {
      this.flooded += 1;
      return refused(429, `Too Many Requests: retry after ${retryAfter}`, { retry_after: retryAfter });
    }
    this.#rates.count(chatId);
    const at = this.#now();
    const id = this.messages.length + 1;
    const silent = String(given.disable_notification) === "true";
    this.messages.push({ id, chat: chatId, ...(thread !== undefined && { thread }), ...parsed, source, silent, at });
    return taken({
      message_id: id,
      date: Math.floor(at / 1000),
      chat: { id: Number(chatId) || chatId, type: chat.type },
      text: parsed.text,
    });
  }
}

function parse(source: string, mode: unknown): ParsedText {
  if (mode === undefined || mode === "") return { text: source, entities: [] };
  if (String(mode).toLowerCase() === "html") return parseHtml(source);
  throw new EntitiesError(`parse mode "${mode}" is not played here`);
}

const taken = (result: unknown): Answer => ({ status: 200, body: { ok: true, result } });

const refused = (status: number, description: string, parameters?: Answer["body"]["parameters"]): Answer => ({
  status,
  body: { ok: false, error_code: status, description, ...(parameters && { parameters }) },
});
