import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { backup, failure, notifyLab, until, untilAllTold } from "../../test/notify/notify-lab.ts";

/** Plays a webhook and https://ntfy.sh. */
async function serveOthers() {
  const received: { path: string; body: Record<string, unknown> }[] = [];
  const statuses: number[] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    const status = statuses.shift() ?? 200;
    if (status === 200) received.push({ path: request.url ?? "", body: JSON.parse(text) });
    response.writeHead(status).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received, statuses };
}

async function lab(settings: object = {}) {
  const others = await serveOthers();
  const lab = await notifyLab({
    settings: { ntfy: { url: others.base }, webhook: {}, ...settings },
  });
  Object.assign(lab.secrets, { "ntfy-topic": "keepsake-planted", "notify-webhook-url": `${others.base}/hook` });
  return { ...lab, others };
}

test("StandIn tells the other channels once when Telegram has taken nothing for too long", async () => {
  const { others, telegram, clock, ...rest } = await lab();
  telegram.faults.push(...Array.from({ length: 40 }, () => 502 as const));
  const before = clock.now();
  rest.nats.publish(backup("run-1", failure("source_invalid", "The save is torn")));
  rest.nats.publish(backup("run-2", { outcome: "unchanged" }));
  rest.start();
  await until(() => expect(others.received).toHaveLength(2));
  expect(clock.now()).toBeGreaterThanOrEqual(before + 600_000);
  const text =
    /^Why: The save is torn\n[\s\S]*\nThis way because telegram has taken nothing since 19 Dec 2025, 17:0\d: Telegram answered 502\nRun run-1$/;
  expect(others.received[0]?.body).toMatchObject({ topic: "keepsake-planted", title: "Failed: backup of Factorio", priority: 4 });
  expect(others.received[0]?.body.message).toMatch(text);
  expect(others.received[1]).toMatchObject({
    path: "/hook",
    body: { title: "Failed: backup of Factorio", urgency: "problem", events: [{ id: "run-1.outcome" }] },
  });
  await untilAllTold(rest);
  expect(telegram.api.messages).toHaveLength(2);
  expect(others.received).toHaveLength(2);
}); // biome-ignore format: one line reads better

test("StandIn tells the other channels at once when Telegram refuses for good, and again what they did not take", async () => {
  const { others, telegram, clock, ...rest } = await lab();
  others.statuses.push(503);
  Object.assign(telegram.api.chats["7"] as object, { blocked: true });
  const before = clock.now();
  rest.nats.publish(backup("run-1"));
  rest.start();
  await until(() => expect(others.received.map(({ path }) => path).toSorted()).toEqual(["/", "/hook"]));
  expect(clock.now()).toBeLessThan(before + 600_000);
  expect(rest.nats.waiting).toBe(1);
});

test("Notifier tells everything to the other channels when there is no Telegram", async () => {
  const { others, ...rest } = await lab({ telegram: undefined });
  Object.assign(rest.secrets, { "telegram-bot-token": undefined });
  others.statuses.push(500);
  rest.nats.publish(backup("run-1"));
  rest.nats.publish(backup("run-2", { outcome: "unchanged" }));
  rest.start();
  await untilAllTold(rest);
  const titles = (path: string) => others.received.filter((one) => one.path === path).map(({ body }) => body.title);
  expect(titles("/")).toEqual(["Saved: Factorio", "Unchanged: Factorio"]);
  expect(titles("/hook")).toEqual(["Saved: Factorio", "Unchanged: Factorio"]);
});
