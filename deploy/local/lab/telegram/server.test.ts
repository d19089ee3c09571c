import { expect, onTestFinished, test } from "vitest";
import type { Chat } from "./bot-api.ts";
import { EntitiesError, parseHtml } from "./html-entities.ts";
import { serveTelegram } from "./server.ts";

const token = "123456:planted-token";

async function telegram(chats: Record<string, Chat>) {
  let now = 1_000_000;
  const server = await serveTelegram({ token, chats, now: () => now });
  onTestFinished(() => server.close());
  const call = async (method: string, body?: object, as = token) => {
    const response = await fetch(`${server.base}/bot${as}/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body ?? {}),
    });
    return { status: response.status, headers: response.headers, body: await response.json() };
  };
  const send = (body: object) => call("sendMessage", { chat_id: 7, text: "hello", ...body });
  const pass = (ms: number) => {
    now += ms;
  };
  return { server, call, send, pass };
}

const me: Record<string, Chat> = { "7": { type: "private" } };
const group: Record<string, Chat> = { "7": { type: "supergroup", threads: [4] } };

test("serveTelegram() takes messages as JSON and as a form, and keeps them", async () => {
  const { server, send } = await telegram(group);
  const json = await send({ text: "<b>Saved</b> &lt;x&gt;", parse_mode: "HTML", message_thread_id: 4 });
  expect(json.body).toMatchObject({ ok: true, result: { message_id: 1, chat: { id: 7 } } });
  const form = await fetch(`${server.base}/bot${token}/sendMessage`, {
    method: "POST",
    body: new URLSearchParams({ chat_id: "7", text: "two\nlines", disable_notification: "true" }),
  });
  expect(form.status).toBe(200);
  expect(server.api.messages).toMatchObject([
    { id: 1, chat: "7", thread: 4, text: "Saved <x>", entities: [{ type: "b", offset: 0, length: 5 }], silent: false },
    { id: 2, chat: "7", text: "two\nlines", silent: true },
  ]);
});

test("serveTelegram() refuses in Telegram's words", async () => {
  const { call, send } = await telegram({
    ...group,
    "8": { type: "private", blocked: true },
    "-9": { type: "group", migratedTo: "-1009" },
  });
  const told = async (answer: Promise<{ status: number; body: { description?: string } }>) => {
    const { status, body } = await answer;
    return `${status} ${body.description}`;
  };
  expect(await told(call("getMe", {}, "123456:other"))).toBe("401 Unauthorized");
  expect(await told(call("sendMessages"))).toBe("404 Not Found: method not found");
  expect(await told(send({ text: " " }))).toBe("400 Bad Request: message text is empty");
  expect(await told(send({ chat_id: "12" }))).toBe("400 Bad Request: chat not found");
  expect(await told(send({ message_thread_id: 5 }))).toBe("400 Bad Request: message thread not found");
  expect(await told(send({ chat_id: 8 }))).toBe("403 Forbidden: bot was blocked by the user");
  expect(await told(send({ text: "x".repeat(4097) }))).toBe("400 Bad Request: message is too long");
  expect(await told(send({ text: "a <b", parse_mode: "HTML" }))).toBe(
    "400 Bad Request: can't parse entities: Unclosed start tag at byte offset 2",
  );
  expect((await send({ chat_id: -9 })).body).toEqual({
    ok: false,
    error_code: 400,
    description: "Bad Request: group chat was upgraded to a supergroup chat",
    parameters: { migrate_to_chat_id: -1009 },
  });
  expect((await call("getMe")).body).toMatchObject({ ok: true, result: { is_bot: true } });
});

test("serveTelegram() counts 4096 UTF-16 units after the entities, not before", async () => {
  const { send, pass } = await telegram(me);
  expect((await send({ text: `<b>${"&amp;".repeat(4096)}</b>`, parse_mode: "HTML" })).status).toBe(200);
  pass(2000);
  expect((await send({ text: "😀".repeat(2048) })).status).toBe(200);
  pass(2000);
  expect((await send({ text: "😀".repeat(2049) })).status).toBe(400);
});

test("serveTelegram() lets a burst through, then one message a second", async () => {
  const { send, pass } = await telegram(me);
  const burst = [];
  for (let n = 0; n < 4; n++) burst.push((await send({})).status);
  expect(burst).toEqual([200, 200, 200, 429]);
  pass(3000);
  for (let n = 0; n < 50; n++) {
    expect((await send({})).status).toBe(200);
    pass(1000);
  }
});

test("serveTelegram() takes 20 messages a minute for a group, and says how long to wait", async () => {
  const { send, pass, server } = await telegram(group);
  for (let n = 0; n < 20; n++) {
    expect((await send({})).status).toBe(200);
    pass(1000);
  }
  const flooded = await send({});
  expect(flooded.status).toBe(429);
  expect(flooded.body).toEqual({
    ok: false,
    error_code: 429,
    description: "Too Many Requests: retry after 40",
    parameters: { retry_after: 40 },
  });
  expect(flooded.headers.get("retry-after")).toBe("40");
  pass(10_000);
  expect((await send({})).body.parameters.retry_after, "who asks too early waits longer").toBe(31);
  pass(31_000);
  expect((await send({})).status).toBe(200);
  expect(server.api.flooded).toBe(2);
});

test("serveTelegram() fails on demand, before and after it took the message", async () => {
  const { server, send } = await telegram(me);
  server.faults.push("reset before", "reset after", 502, "slow body", "hang");
  await expect(send({})).rejects.toThrow();
  expect(server.api.messages).toHaveLength(0);
  await expect(send({})).rejects.toThrow();
  expect(server.api.messages).toHaveLength(1);
  await expect(send({}), "a body that is no JSON").rejects.toThrow();
  expect(server.api.messages).toHaveLength(1);
  for (const takenAfter of [2, 2]) {
    const limited = fetch(`${server.base}/bot${token}/sendMessage`, {
      method: "POST",
      body: new URLSearchParams({ chat_id: "7", text: "hello" }),
      signal: AbortSignal.timeout(50),
    }).then((response) => response.text());
    await expect(limited).rejects.toThrow();
    expect(server.api.messages).toHaveLength(takenAfter);
  }
});

test.each([
  ["<b>a", `Can't find end tag corresponding to start tag "b"`],
  ["a</b>", "Unexpected end tag at byte offset 1"],
  ["<b>a</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'],
  ["ä<div>x</div>", 'Unsupported start tag "div" at byte offset 2'],
  ["1 < 2 > 1", 'Unsupported start tag "" at byte offset 2'],
  ["<b>x</b", "Unclosed end tag at byte offset 4"],
])("parseHtml() refuses %s as Telegram does", (html, description) => {
  expect(() => parseHtml(html)).toThrow(new EntitiesError(description));
});

test("parseHtml() gives what people read, with unknown codes left as they are", () => {
  expect(parseHtml("<b>a &amp; <i>b</i></b> &#169;&#x41; &nbsp; &").text).toBe("a & b ©A &nbsp; &");
});
