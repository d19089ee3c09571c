import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { OutcomeData } from "../outcome-data.ts";
import { NotifySettings } from "../settings.ts";
import { pings } from "./ping.ts";

const start = Date.parse("2025-12-19T18:00:00Z");

async function watching(ping: object) {
  const called: string[] = [];
  let status = 200;
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    called.push(`${request.method} ${request.url} ${text}`);
    response.writeHead(status).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const secrets: Record<string, string> = { all: `${base}/planted-all`, own: `${base}/planted-own?x=1` };
  const settings = NotifySettings.parse({ ping }).ping as NonNullable<NotifySettings["ping"]>;
  let now = start;
  const all = pings(settings, async (name) => secrets[name], { timeoutMs: 5000, now: () => now });
  const ended = (app: string, outcome: string, atMs = 0, operation = "backup") =>
    all.note(
      OutcomeData.parse({
        ...{ runId: "run-1", app, operation, outcome, message: `${app} ${outcome}` },
        finishedAt: new Date(start + atMs).toISOString(),
      }),
    );
  return {
    all,
    called,
    ended,
    answer: (next: number) => {
      status = next;
    },
    pass: (ms: number) => {
      now += ms;
    },
  };
}

test("pings() calls an address after each good backup, and /fail after a bad one", async () => {
  const { all, called, ended } = await watching({ urlSecret: "all", apps: { factorio: "own" } });
  ended("factorio", "created");
  ended("sdtd", "failed");
  ended("ollama", "unchanged");
  ended("webui", "proven", 0, "drill");
  await all.send();
  await all.send();
  expect(called).toEqual([
    "POST /planted-own?x=1 factorio created",
    "POST /planted-all/fail sdtd failed",
    "POST /planted-all ollama unchanged",
  ]);
  expect(all.lastError()).toBeUndefined();
});

test("pings() tells what is newest, and nothing that is old", async () => {
  const { all, called, ended, pass } = await watching({ urlSecret: "all" });
  ended("factorio", "failed", 1000);
  ended("factorio", "created", 2000);
  await all.send();
  ended("factorio", "failed", 1000);
  ended("factorio", "created", 2000);
  pass(2 * 3_600_000);
  ended("factorio", "failed", 3000);
  await all.send();
  expect(called).toEqual(["POST /planted-all factorio created"]);
});

test("pings() calls again what failed, for an hour, and says why without the address", async () => {
  const { all, called, ended, answer, pass } = await watching({ urlSecret: "all" });
  answer(500);
  ended("factorio", "created");
  await all.send();
  await all.send();
  expect(called).toHaveLength(2);
  expect(all.lastError()).toBe("it was answered with 500");
  pass(2 * 3_600_000);
  await all.send();
  await all.send();
  expect(called).toHaveLength(3);
  const { all: lost, ended: alsoEnded } = await watching({ urlSecret: "not-there" });
  alsoEnded("factorio", "created");
  await lost.send();
  expect(lost.lastError()).toBe('the secret "not-there" is not there, or is not an address');
});

test("pings() takes it that not every service can be told of a failure", async () => {
  const { all, called, ended, answer } = await watching({ urlSecret: "all" });
  answer(404);
  ended("factorio", "failed");
  await all.send();
  await all.send();
  expect([called.length, all.lastError()]).toEqual([1, undefined]);
});
