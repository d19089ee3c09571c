import { expect, onTestFinished, test } from "vitest";
import type { Chat } from "../../deploy/local/lab/telegram/bot-api.ts";
import { type Fault, serveTelegram } from "../../deploy/local/lab/telegram/server.ts";
import { telegramClient } from "./telegram.ts";
import type { Text } from "./text.ts";

const token = "123456:planted-token";
const text: Text = [[{ bold: "Saved: <Factorio>" }], ["Run ", { code: "run-1" }]];

async function telegram(
  chat: Chat = { type: "private" },
  more: Record<string, Chat> = {},
  { secret = token, timeoutMs = 10_000 } = {},
) {
  let now = 0;
  const server = await serveTelegram({ token, chats: { "7": chat, ...more }, now: () => now });
  onTestFinished(() => server.close());
  const moved: string[][] = [];
  const client = telegramClient({
    base: server.base,
    token: async () => secret,
    timeoutMs,
    movedTo: (from) => moved.find((pair) => pair[0] === from)?.[1],
    onMoved: async (from, to) => void moved.push([from, to]),
  });
  const send = (changes: { topic?: number; text?: Text } = {}) => {
    now += 60_000;
    return client.send({ chat: "7", text, silent: false, ...changes });
  };
  return { server, send, moved, client };
}

test("telegramClient() sends HTML, and tells the message's id", async () => {
  const { server, client } = await telegram();
  const told = await client.send({ chat: "7", text, silent: true });
  expect(told).toEqual({ outcome: "taken", messageId: "1", notes: [] });
  expect(server.api.messages[0]).toMatchObject({ text: "Saved: <Factorio>\nRun run-1", silent: true });
  expect(server.requests[0]?.given).toMatchObject({ parse_mode: "HTML", link_preview_options: { is_disabled: true } });
});

test("telegramClient() fits the longest of messages into one", async () => {
  const { server, send } = await telegram();
  expect(await send({ text: [[{ bold: "x<&".repeat(9000) }], ["Run 1"]] })).toMatchObject({ outcome: "taken" });
  expect(server.api.messages[0]?.text).toHaveLength(4096);
});

test.each<[Fault, object, number]>([
  ["hang", { outcome: "passing", maybeTaken: true, why: "no answer within 0.3 s" }, 0],
  ["hang after", { outcome: "passing", maybeTaken: true, why: "no answer within 0.3 s" }, 1],
  ["reset before", { outcome: "passing", maybeTaken: true }, 0],
  ["reset after", { outcome: "passing", maybeTaken: true }, 1],
  ["slow body", { outcome: "taken", notes: [] }, 1],
  [500, { outcome: "passing", maybeTaken: false, why: "Telegram answered 500" }, 0],
  [502, { outcome: "passing", maybeTaken: false, why: "Telegram answered 502" }, 0],
])("telegramClient() meets the fault %s", async (fault, told, taken) => {
  const timeoutMs = typeof fault === "string" && /hang|slow/.test(fault) ? 300 : 10_000;
  const { server, send } = await telegram(undefined, {}, { timeoutMs });
  server.faults.push(fault);
  expect(await send()).toMatchObject(told);
  expect(server.api.messages).toHaveLength(taken);
});

test("telegramClient() finds nobody there", async () => {
  const { server, send } = await telegram();
  await server.close();
  expect(await send()).toEqual({ outcome: "passing", maybeTaken: false, why: "the connection was refused" });
  const again = await serveTelegram({ token, chats: {} });
  onTestFinished(() => again.close());
});

test("telegramClient() is told how long to wait", async () => {
  const { client } = await telegram();
  const send = () => client.send({ chat: "7", text, silent: false });
  for (let n = 0; n < 3; n++) expect((await send()).outcome).toBe("taken");
  expect(await send()).toEqual({
    outcome: "wait",
    afterMs: 3000,
    why: "Telegram answered 429 Too Many Requests: retry after 3",
  });
});

test("telegramClient() follows a group that was upgraded, and remembers it", async () => {
  const { server, send, moved } = await telegram(
    { type: "group", migratedTo: "-1007" },
    { "-1007": { type: "supergroup" } },
  );
  expect(await send()).toMatchObject({ outcome: "taken", notes: [expect.stringContaining("upgraded")] });
  expect(await send()).toMatchObject({ outcome: "taken", notes: [] });
  expect(moved).toEqual([["7", "-1007"]]);
  expect(server.api.messages).toMatchObject([{ chat: "-1007" }, { chat: "-1007" }]);
  expect(server.api.messages[0]?.text).toBe(
    "Saved: <Factorio>\nNote: This group was upgraded and has a new id. It is remembered; put it into the settings as well.\nRun run-1",
  );
});

test("telegramClient() leaves a topic that is gone, and says so", async () => {
  const { server, send } = await telegram({ type: "supergroup", threads: [3] });
  expect(await send({ topic: 4 })).toMatchObject({ outcome: "taken", notes: [expect.stringContaining("topic")] });
  expect(server.api.messages[0]).not.toHaveProperty("thread");
  expect(server.api.messages[0]?.text).toContain("Note: The topic that this was meant for is gone");
});

test("telegramClient() sends plain what Telegram cannot parse", async () => {
  const { server, send } = await telegram();
  const answer = server.api.answer.bind(server.api);
  server.api.answer = (as, method, given) =>
    given.parse_mode ? answer(as, method, { ...given, text: "<b>" }) : answer(as, method, given);
  expect(await send()).toMatchObject({ outcome: "taken" });
  expect(server.api.messages[0]?.source).toBe("Saved: <Factorio>\nRun run-1");
});

test.each<[string, Chat, string, object]>([
  ["another token", { type: "private" }, "123456:planted-other", { about: "channel" }],
  ["a token that is none", { type: "private" }, "planted/../x", { about: "channel", why: "the bot token is not one" }],
  ["a block", { type: "private", blocked: true }, token, { about: "chat" }],
  ["being thrown out", { type: "supergroup", blocked: true }, token, { about: "chat" }],
])("telegramClient() calls %s permanent, and says what to do", async (_, chat, secret, wanted) => {
  const { send } = await telegram(chat, {}, { secret });
  const told = await send();
  expect(told).toMatchObject({ outcome: "permanent", hint: expect.any(String), ...wanted });
  expect(JSON.stringify(told)).not.toMatch(/planted/);
});

test("telegramClient() tells a message that cannot be sent from a chat that cannot be reached", async () => {
  const { send } = await telegram();
  expect(await send({ text: [[" "]] })).toEqual({
    outcome: "permanent",
    about: "message",
    why: "Telegram answered 400 Bad Request: message text is empty",
  });
});

test("telegramClient() never tells the token, whatever the address", async () => {
  const client = (base: string) => telegramClient({ base, token: async () => token, timeoutMs: 50 });
  for (const base of ["not a url", "http://127.0.0.1:1", "http://[", "ftp://x"]) {
    const told = await client(base).send({ chat: "7", text, silent: false });
    expect(told.outcome).toBe("passing");
    expect(JSON.stringify(told)).not.toMatch(/planted|123456/);
  }
});
