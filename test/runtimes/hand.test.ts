import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { openBell } from "../../events/nats/bell.ts";
import { Hand, type HandOptions } from "../../shared/serve/hand.ts";
import { tempFolder } from "../../shared/testing.ts";
import { busAt, ended, ownNats } from "../events/testing.ts";

const program = join(import.meta.dirname, "hand-process.ts");
afterEach(() => vi.unstubAllEnvs());

async function handWith(options: Partial<HandOptions> = {}) {
  const socketPath = join(await tempFolder(), "answer");
  const said: string[] = [];
  const log = (line: string) => void said.push(line);
  const command = [process.execPath, program] as const;
  const hand = new Hand({ command, socketPath, log, lingerMs: 20, ...options });
  onTestFinished(() => hand.stop(5000));
  /** @returns The pid of who answers. */
  const call = async (path = "/"): Promise<number> => {
    await hand.take();
    try {
      return Number(await get(socketPath, path));
    } finally {
      hand.release();
    }
  };
  return { hand, call, said, socketPath };
}

const get = (socketPath: string, path: string) =>
  new Promise<string>((resolve, reject) => {
    request({ socketPath, path, agent: false }, (answer) => void text(answer).then(resolve, reject))
      .on("error", reject)
      .end();
  });

const lives = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
const untilGone = (pid: number) => vi.waitFor(() => expect(lives(pid)).toBe(false), { timeout: 10_000, interval: 10 });

test("a hand goes when nobody calls, and comes with the next call", async () => {
  const { call, said } = await handWith();
  const [first, same] = await Promise.all([call(), call()]);
  expect(same).toBe(first);
  await untilGone(first);
  const next = await call();
  expect(next).not.toBe(first);
  expect(said).toEqual([]);
});

test("a hand that does not end keeps nobody waiting", async () => {
  vi.stubEnv("STUCK", "yes");
  const { call, hand } = await handWith({ leaveMs: 20 });
  const first = await call();
  await untilGone(first);
  expect(await call()).not.toBe(first);
  await hand.stop(20);
});

test("a hand that has work of its own stays", async () => {
  vi.stubEnv("REST", '{"forMs":0}');
  const { hand, call } = await handWith({ lingerMs: 1 });
  await hand.start();
  const first = await call();
  // Each call ends with its being asked again.
  for (let count = 0; count < 5; count++) expect(await call()).toBe(first);
});

test("a hand is woken by what rings while it rests", async () => {
  vi.stubEnv("REST", '{"bell":"nats://127.0.0.1:4222"}');
  const rings: (() => void)[] = [];
  const openBell: NonNullable<HandOptions["openBell"]> = (_, ring) => {
    rings.push(ring);
    return { isSet: Promise.resolve(true), close() {} };
  };
  const { call } = await handWith({ openBell });
  await untilGone(await call());
  expect(rings).toHaveLength(1);
  rings[0]?.();
  // Nobody calls: only one that is there again can want to hear it again.
  await vi.waitFor(() => expect(rings).toHaveLength(2), { timeout: 10_000, interval: 10 });
});

test("a hand that cannot be heard for does not go", async () => {
  vi.stubEnv("REST", '{"bell":"nats://127.0.0.1:4222"}');
  let opened = 0;
  const openBell = () => {
    opened += 1;
    return { isSet: Promise.resolve(false), close() {} };
  };
  const { call } = await handWith({ openBell });
  const first = await call();
  await vi.waitFor(() => expect(opened).toBeGreaterThan(1), { timeout: 10_000 });
  expect(await call()).toBe(first);
});

test("a hand that came to an end is there again for the next call", async () => {
  const { call, said } = await handWith({ lingerMs: 60_000 });
  const first = await call();
  await expect(call("/end")).rejects.toThrow();
  await vi.waitFor(() => expect(said).toEqual(["the function's process ended: status 4"]), { interval: 5 });
  expect(await call()).not.toBe(first);
});

test("notify rests while nothing comes, and tells what comes then", async () => {
  const folder = await tempFolder();
  const nats = await ownNats();
  const bus = await busAt(nats.url);
  const told: string[] = [];
  const webhook = createServer(async (call, answer) => {
    told.push(await text(call));
    answer.end();
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void webhook.close());
  await once(webhook, "listening");
  const { port } = webhook.address() as { port: number };
  await writeFile(join(folder, "notify-webhook-url"), `http://127.0.0.1:${port}/`);
  const configPath = join(folder, "keepsake.yaml");
  await writeFile(configPath, "secrets: .\nnotify: { webhook: {} }\n");
  vi.stubEnv("KEEPSAKE_FUNCTION", "notify");
  vi.stubEnv("KEEPSAKE_CONFIG", configPath);
  vi.stubEnv("NATS_URL", nats.url);
  const command = [process.execPath, join(import.meta.dirname, "../../functions/answer.ts")] as const;
  const { hand, socketPath } = await handWith({ command, openBell });
  await hand.start();
  await vi.waitFor(() => expect(get(socketPath, "/")).rejects.toThrow(), { timeout: 20_000, interval: 50 });
  await bus.publisher.publish(ended("one"));
  await vi.waitFor(() => expect(told).toEqual([expect.stringContaining("Factorio")]), { timeout: 20_000 });
});

test("a hand that does not begin says so to whoever starts it, or calls", async () => {
  vi.stubEnv("BROKEN", "yes");
  const { hand, call } = await handWith();
  await expect(hand.start()).rejects.toThrow("status 3");
  await expect(call()).rejects.toThrow("status 3");
});
