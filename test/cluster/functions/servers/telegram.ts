import { serveTelegram, type TelegramServer } from "../../../../deploy/local/lab/telegram/server.ts";
import type { Passage } from "../../passage.ts";

export interface ClusterTelegram extends TelegramServer {
  /** Where the cluster's pods reach it. */
  readonly apiBase: string;
  readonly chat: string;
  /** The runs whose outcome was told, by their ids, in the order of the messages. */
  told(): string[];
}

/** Telegram's Bot API, played on this machine. */
export async function startTelegram(passage: Passage): Promise<ClusterTelegram> {
  const chat = "7";
  const server = await serveTelegram({
    token: "123456:planted-bot-token-planted-bot-token",
    chats: { [chat]: { type: "private" } },
  });
  const { host, port } = await passage.out(Number(new URL(server.base).port));
  const told = () => server.api.messages.flatMap(({ text }) => /^Run (\S+)$/m.exec(text)?.[1] ?? []);
  return { ...server, apiBase: `http://${host}:${port}`, chat, told };
}
