import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { serveTelegram } from "../../deploy/local/lab/telegram/server.ts";
import { createLog } from "../../shared/log.ts";
import { tempFolder } from "../../shared/testing.ts";
import { backup, until } from "../../test/notify/notify-lab.ts";
import { loadNotify } from "./function.ts";

const botToken = "123456:planted-bot-token-planted-bot-token";
const token = "planted-keepsake-token";

async function served(yaml = "", secrets: Record<string, string> = {}) {
  const folder = await tempFolder();
  const telegram = await serveTelegram({ token: botToken, chats: { "7": { type: "private" } } });
  onTestFinished(() => telegram.close());
  await mkdir(join(folder, "secrets"));
  const put = (name: string, text: string) => writeFile(join(folder, "secrets", name), `${text}\n`);
  for (const [name, text] of Object.entries({ "keepsake-token": token, ...secrets })) await put(name, text);
  const path = join(folder, "keepsake.yaml");
  await writeFile(path, `timeZone: UTC\nsecrets: ./secrets\n${yaml.replaceAll("BASE", telegram.base)}`);
  const lines: string[] = [];
  const notify = await loadNotify({
    configPath: path,
    log: createLog("notify", "info", { write: (line: string) => void lines.push(line) }),
  });
  notify.start();
  onTestFinished(() => notify.stop());
  const call = async (method: string, body?: string | object, headers: Record<string, string> = {}) => {
    const text = typeof body === "object" ? JSON.stringify(body) : body;
    const request = new Request("http://gateway/", { method, headers, ...(text !== undefined && { body: text }) });
    const response = await notify.fetch(request);
    return { status: response.status, text: await response.text() };
  };
  const trusted = (body: object, as = token) => call("POST", body, { authorization: `Bearer ${as}`, prefer: "wait=2" });
  const json = async () => JSON.parse((await call("GET", undefined, { accept: "application/json" })).text);
  return { call, trusted, json, put, telegram, log: () => lines.join(""), secret: (name: string) => join(folder, "secrets", name) };
} // biome-ignore format: one line reads better

const withTelegram = "notify: { telegram: { apiBase: BASE } }\n";
const secrets = { "telegram-bot-token": botToken, "telegram-chat-id": "7" };

test("loadNotify() needs no settings and no secrets: it logs, and says how to set it up", async () => {
  const { call, trusted, json, log } = await served();
  const { status, text } = await call("GET");
  expect(status).toBe(200);
  expect(text).toBe(`No channel is set up: events are only logged. Put the bot's token and the chat's id into the secrets "telegram-bot-token" and "telegram-chat-id", then: make test-telegram
  NATS: there is none: neither \`nats\` in keepsake.yaml nor NATS_URL names one
`);
  expect(await json()).toEqual({ function: "notify", configured: false, nats: { connected: false, why: expect.any(String) }, waiting: 0, channels: [] });
  expect(await trusted(backup("run-1"))).toEqual({ status: 200, text: "run-1.outcome: logged\n" });
  expect(log()).toContain("Saved: Factorio");
  expect(await trusted({ operation: "test" })).toMatchObject({ status: 502, text: expect.stringContaining("no channel is set up") });
}); // biome-ignore format: one line reads better

test("POST / without the token is a nudge, whatever it holds", async () => {
  const { call, telegram } = await served(withTelegram, secrets);
  const event = JSON.stringify(backup("run-1"));
  for (const body of [undefined, "", "no json", "null", "[1]", event, "x".repeat(1 << 20)])
    expect(await call("POST", body, { "x-connector": "connector-sdk" })).toEqual({ status: 200, text: "OK\n" });
  expect(telegram.requests).toEqual([]);
});

test("POST / asks for the token where something is decided, and says what it does not know", async () => {
  const { call, trusted } = await served(withTelegram, secrets);
  expect((await call("POST", { operation: "test" })).status).toBe(401);
  expect((await trusted({ operation: "test" }, "another")).status).toBe(401);
  expect((await trusted({ operation: "restore" })).status).toBe(400);
  expect((await trusted({ specversion: "1.0" })).status).toBe(400);
  expect((await trusted({ text: "x".repeat(300_000) })).status).toBe(400);
  expect((await call("PUT")).status).toBe(404);
});

test('{"operation": "test"} sends one message and says what was answered, with the token that is there now', async () => {
  const { trusted, put, telegram } = await served(withTelegram, { ...secrets, "telegram-bot-token": "123456:planted-old" });
  const refused = await trusted({ operation: "test" });
  expect(refused.status).toBe(502);
  expect(refused.text).toBe(
    "telegram has not taken it: Telegram answered 401 Unauthorized\nTake the bot's token from @BotFather and put it into the secret.\n",
  );
  await put("telegram-bot-token", botToken);
  expect(await trusted({ operation: "test" })).toEqual({ status: 200, text: "telegram took it (message 1)\n" });
  expect(telegram.api.messages[0]?.text).toMatch(/^Keepsake can reach you here\nA trial, asked for on /);
}); // biome-ignore format: one line reads better

test("An event that is handed in is told once, also while there is no NATS", async () => {
  const { trusted, json, telegram } = await served(withTelegram, secrets);
  expect(await trusted(backup("run-1"))).toEqual({ status: 200, text: "run-1.outcome: told\n" });
  expect(await trusted(backup("run-1"))).toEqual({ status: 200, text: "run-1.outcome: told\n" });
  expect(telegram.api.messages).toHaveLength(1);
  expect(await json()).toMatchObject({ configured: true, waiting: 0, lastTold: { title: "Saved: Factorio" } });
  Object.assign(telegram.api.chats["7"] as object, { blocked: true });
  const { status, text } = await trusted(backup("run-2"));
  expect([status, text]).toEqual([202, "run-2.outcome: waiting\n"]);
});

test("Nothing that leaves notify holds a secret: no log, no answer, no message", async () => {
  const all = {
    "telegram-bot-token": botToken,
    "telegram-chat-id": "7",
    "ntfy-topic": "planted-topic",
    "ntfy-token": "planted-ntfy-token",
    "notify-webhook-url": "http://127.0.0.1:1/planted-hook",
    "ping-url": "http://127.0.0.1:1/planted-ping",
    "nats-url": "nats://planted-user:planted-password@127.0.0.1:1",
  };
  const yaml = `notify:
  telegram: { apiBase: BASE }
  ntfy: { url: "http://127.0.0.1:1/", tokenSecret: ntfy-token }
  webhook: {}
  ping: { urlSecret: ping-url }
`;
  const { call, trusted, json, telegram, log, secret } = await served(yaml, all);
  const message = `Cannot reach postgres://planted:planted@db/x with ${botToken}`;
  const finishedAt = new Date().toISOString();
  const failure = { code: "tool_failed" as const, message, hint: `try ${botToken}`, retryable: false };
  await trusted(backup("run-1", { outcome: "failed", message, failure, finishedAt }));
  await until(async () => expect((await json()).pingError).toBeDefined());
  Object.assign(telegram.api.chats["7"] as object, { blocked: true });
  const answers = [await trusted({ operation: "test" }), await call("GET"), await json()];
  await rm(secret("telegram-bot-token"));
  answers.push(await trusted({ operation: "test" }), await call("GET"), await json());
  expect(telegram.api.messages).toHaveLength(1);
  expect(log()).toContain("Failed: backup of Factorio");
  for (const text of [log(), JSON.stringify(answers), telegram.api.messages[0]?.text]) expect(text).not.toContain("planted");
}); // biome-ignore format: one line reads better
