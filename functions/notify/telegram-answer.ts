import type { HttpAnswer } from "./http.ts";
import type { Told } from "./told.ts";

/** What is to be changed in a message before it is sent once more, at once. */
export type Correction =
  | { readonly correct: "chat"; readonly to: string }
  | { readonly correct: "topic" }
  | { readonly correct: "marks" }
  | { readonly correct: "length" };

interface Body {
  result?: { message_id?: number };
  description?: string;
  parameters?: { retry_after?: number; migrate_to_chat_id?: number };
}

/** What stands in descriptions when it is the chat that is wrong, and not this one message. */
const aboutTheChat =
  /chat not found|chat_id is empty|PEER_ID_INVALID|CHAT_WRITE_FORBIDDEN|CHAT_RESTRICTED|not enough rights|have no rights|need administrator rights|chat was deactivated|group chat was deleted/i;

/**
 * Tells Telegram's answers to sendMessage apart (https://core.telegram.org/bots/api#making-requests). Its `description`
 * is for people and may change, so what is not known by its words counts as "this message cannot be sent".
 */
export function readAnswer({ status, headers, text }: HttpAnswer): Told | Correction {
  const body = parseBody(text);
  // 200 says that it was taken, whether or not the rest of the answer arrives.
  if (status === 200) {
    const id = body.result?.message_id;
    return { outcome: "taken", notes: [], ...(id !== undefined && { messageId: String(id) }) };
  }
  const description = body.description ?? "";
  const why = `Telegram answered ${status}${description ? ` ${description.slice(0, 200)}` : ""}`;
  if (status === 429) {
    const seconds = body.parameters?.retry_after ?? Number(headers.get("retry-after") || 30);
    return { outcome: "wait", afterMs: (seconds > 0 ? seconds : 30) * 1000, why };
  }
  if (status >= 500 || status < 400) return { outcome: "passing", maybeTaken: false, why };
  if (status === 401 || status === 404) {
    const hint = "Take the bot's token from @BotFather and put it into the secret.";
    return { outcome: "permanent", about: "channel", why, hint };
  }
  if (status === 403) {
    const hint = "The bot must be in the chat, and allowed to write there; a person has to write to it first.";
    return { outcome: "permanent", about: "chat", why, hint };
  }
  const migrated = body.parameters?.migrate_to_chat_id;
  if (migrated !== undefined) return { correct: "chat", to: String(migrated) };
  if (/message thread not found|TOPIC_(?:DELETED|CLOSED|ID_INVALID)/i.test(description)) return { correct: "topic" };
  if (/can't parse entities/i.test(description)) return { correct: "marks" };
  if (/message is too long/i.test(description)) return { correct: "length" };
  if (aboutTheChat.test(description)) {
    const hint = "Look at the id of the chat in the settings, and whether the bot may write there.";
    return { outcome: "permanent", about: "chat", why, hint };
  }
  return { outcome: "permanent", about: "message", why };
}

function parseBody(text: string | undefined): Body {
  try {
    const body: unknown = JSON.parse(text ?? "");
    return typeof body === "object" && body !== null ? (body as Body) : {};
  } catch {
    return {};
  }
}
