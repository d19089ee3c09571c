import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startNatsServer } from "../../deploy/local/lab/nats/server.ts";
import { serveTelegram } from "../../deploy/local/lab/telegram/server.ts";
import { loadNotify } from "../../functions/notify/function.ts";
import { silentLog, tempFolder } from "../../shared/testing.ts";
import { busAt, ended, ownNats } from "../events/testing.ts";
import { until } from "./notify-lab.ts";

/* The function over a real NATS, with a Telegram that plays by the rules; in real time. */

const botToken = "123456:planted-bot-token-planted-bot-token";

async function lab() {
  const nats = await ownNats();
  const telegram = await serveTelegram({ token: botToken, chats: { "7": { type: "private" } } });
  onTestFinished(() => telegram.close());
  const folder = await tempFolder();
  await mkdir(join(folder, "secrets"));
  const secrets = { "telegram-bot-token": botToken, "telegram-chat-id": "7", "keepsake-token": "token" };
  for (const [name, text] of Object.entries(secrets)) await writeFile(join(folder, "secrets", name), text);
  const configPath = join(folder, "keepsake.yaml");
  await writeFile(configPath, `secrets: ./secrets\nnats: ${nats.url}\nnotify: { telegram: { apiBase: "${telegram.base}" } }\n`);
  const start = async () => {
    const notify = await loadNotify({ configPath, log: silentLog });
    notify.start();
    onTestFinished(() => notify.stop());
    const headers = { accept: "application/json", authorization: "Bearer token" };
    const call = async (body?: object) => {
      const init = body ? { method: "POST", body: JSON.stringify(body) } : {};
      return (await notify.fetch(new Request("http://gateway/", { headers, ...init }))).json();
    };
    return { ...notify, call };
  };
  const runs = () => telegram.api.messages.map(({ text }) => text.split("\n").at(-1)?.replace("Run backup-factorio-", ""));
  return { nats, telegram, start, runs };
} // biome-ignore format: one line reads better

test("notify tells what waits in NATS and what comes, each once, over restarts of its own and of NATS", async () => {
  const { nats, telegram, start, runs } = await lab();
  const publish = async (...events: object[]) => {
    const bus = await busAt(nats.url);
    for (const event of events) await bus.publisher.publish(event as ReturnType<typeof ended>);
    await bus.close();
  };
  await publish(ended("1"), ended("2"));
  const first = await start();
  await until(() => expect(runs()).toEqual(["1", "2"]));
  telegram.faults.push("reset after");
  await publish(ended("3"));
  await until(() => expect(runs()).toEqual(["1", "2", "3", "3"]));
  expect(telegram.api.messages.at(-1)?.text).toContain("second time");
  await first.stop();
  await publish(ended("4"));

  const second = await start();
  await until(() => expect(runs().slice(4)).toEqual(["4"]));
  await nats.kill();
  expect(await second.call(ended("5"))).toMatchObject({ fate: "told" });
  await until(async () => expect(await second.call()).toMatchObject({ nats: { connected: false } }));
  await startNatsServer({ folder: nats.folder });
  await publish(ended("5"), ended("6"));
  await until(() => expect(runs().slice(5)).toEqual(["5", "6"]));
  await until(async () => expect(await second.call()).toMatchObject({ nats: { connected: true }, waiting: 0 }));
  await second.stop();

  await start();
  await publish(ended("7"));
  await until(() => expect(runs().slice(7)).toEqual(["7"]));
  expect(telegram.api.flooded).toBe(0);
}, 60_000);
