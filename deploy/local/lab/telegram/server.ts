import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Answer, BotApi, type BotApiOptions, type TakenMessage } from "./bot-api.ts";

/** What can go wrong on the way; each is met by one request, in order. */
export type Fault =
  /** Nobody answers, nothing is taken. */
  | "hang"
  /** The message is taken, and nobody answers. */
  | "hang after"
  /** The connection breaks, nothing is taken. */
  | "reset before"
  /** The message is taken, the connection breaks before the answer. */
  | "reset after"
  /** The message is taken, its answer begins with 200 and never ends. */
  | "slow body"
  | 500
  | 502;

export interface TelegramServer {
  /** Where the API is: `<base>/bot<token>/sendMessage`. */
  readonly base: string;
  readonly api: BotApi;
  /** Faults of the next requests that send a message. */
  readonly faults: Fault[];
  /** Every request that came, with the method and what was given. */
  readonly requests: { readonly method: string; readonly given: Readonly<Record<string, unknown>> }[];
  /** Messages that were taken, and whose answer did not get out whole: only these may come twice. */
  readonly unanswered: TakenMessage[];
  close(): Promise<void>;
}

/** Plays https://api.telegram.org on a loopback port: the Bot API over HTTP, JSON and forms, with its limits. */
export async function serveTelegram({
  port = 0,
  ...options
}: BotApiOptions & { port?: number }): Promise<TelegramServer> {
  const api = new BotApi(options);
  const faults: Fault[] = [];
  const requests: TelegramServer["requests"] = [];
  const unanswered: TakenMessage[] = [];
  const server = createServer(async (request, response) => {
    const path = /^\/bot([^/]+)\/(\w+)\/?(?:\?.*)?$/.exec(request.url ?? "");
    if (!path) return answer(response, { status: 404, body: { ok: false, error_code: 404, description: "Not Found" } });
    const [, token, method] = path as unknown as [string, string, string];
    const given = await parametersOf(request).catch(() => undefined);
    if (!given) {
      const description = "Bad Request: can't parse JSON object";
      return answer(response, { status: 400, body: { ok: false, error_code: 400, description } });
    }
    requests.push({ method, given });
    const fault = /^sendMessage$/i.test(method) ? faults.shift() : undefined;
    if (fault === "hang") return;
    if (fault === "reset before") return void request.socket.destroy();
    if (fault === 500 || fault === 502) return void response.writeHead(fault).end("<html>Bad Gateway</html>");
    const before = api.messages.length;
    const told = api.answer(decodeURIComponent(token), method, given);
    const [message] = api.messages.slice(before);
    if (message) response.once("close", () => response.writableFinished || unanswered.push(message));
    if (fault === "hang after") return;
    if (fault === "reset after") return void request.socket.destroy();
    if (fault === "slow body") {
      response.writeHead(told.status, { "content-type": "application/json", "content-length": 4096 });
      response.write('{"ok":true,');
      return;
    }
    answer(response, told);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    api,
    faults,
    requests,
    unanswered,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function answer(response: ServerResponse, { status, body }: Answer): void {
  const retryAfter = body.parameters?.retry_after;
  response
    .writeHead(status, {
      "content-type": "application/json",
      ...(retryAfter !== undefined && { "retry-after": String(retryAfter) }),
    })
    .end(JSON.stringify(body));
}

async function parametersOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += chunk;
  const query = Object.fromEntries(new URL(request.url ?? "", "http://telegram").searchParams);
  if (/\bapplication\/json\b/.test(request.headers["content-type"] ?? "")) {
    return { ...query, ...(JSON.parse(body) as Record<string, unknown>) };
  }
  return { ...query, ...Object.fromEntries(new URLSearchParams(body)) };
}
