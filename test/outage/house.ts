import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createGateway } from "../../deploy/local/gateway/gateway.ts";
import { freePort } from "../../deploy/local/lab/free-port.ts";
import { startNatsServer } from "../../deploy/local/lab/nats/server.ts";
import type { TakenMessage } from "../../deploy/local/lab/telegram/bot-api.ts";
import { type Fault, serveTelegram } from "../../deploy/local/lab/telegram/server.ts";
import { openBus } from "../../events/bus.ts";
import type { ConditionEvent } from "../../events/event.ts";
import { loadFunction } from "../../functions/function.ts";
import { publisherTo } from "../../functions/publisher.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import { silentLog } from "../../shared/testing.ts";
import { layLab, places, play } from "../worlds/factorio.ts";
import { type Carried, carry } from "../worlds/run.ts";
import { fastClock } from "./fast-clock.ts";
import { layLink } from "./link.ts";

/** Something that can be killed, and started again. */
export interface Part {
  readonly name: string;
  kill(): Promise<void>;
  revive(): Promise<void>;
}

export interface House {
  readonly parts: readonly Part[];
  /** One run of the app to its end, whatever is away. @returns Its id. */
  run(request: RunRequest): Promise<string>;
  /** The game is played on, so that the next backup finds something new. */
  playOn(): Promise<void>;
  /** The watch looks, unless status is down. */
  look(): Promise<void>;
  /** What the watch has told of to NATS. */
  conditions(): Promise<ConditionEvent[]>;
  /** The next message is taken, and its answer lost. */
  loseAnswer(how: Extract<Fault, "hang after" | "reset after" | "slow body">): void;
  /** What Telegram took, in its order. */
  messages(): TakenMessage[];
  /** Those whose answer did not get out. */
  unanswered(): TakenMessage[];
  /**
   * Those that may have been taken, but not written down, when notify or its way to NATS was killed; for each kill.
   * Notify sends one at a time, and the next only when the last is written down: the one before the kill or after it.
   */
  torn(): TakenMessage[][];
  close(): Promise<void>;
}

const token = "123456:planted-token-of-the-test";
const chat = "4711";

/** Everybody's way to NATS and notify's way to Telegram are cables; Telegram is played, all else is the real thing. */
export async function buildHouse(folder: string): Promise<House> {
  const startMs = Date.now();
  const clock = fastClock(startMs);
  await layLab(folder, { keep: 3 });
  const { config, nas } = places(folder);
  const secrets = join(folder, "secrets");
  await mkdir(secrets, { recursive: true });
  await writeFile(join(secrets, "telegram-bot-token"), token);
  await writeFile(join(secrets, "telegram-chat-id"), chat);

  const natsFolder = join(folder, "nats");
  let nats = await startNatsServer({ folder: natsFolder });
  const apis = { chats: { [chat]: { type: "private" as const } }, token, now: clock.now };
  let telegram = await serveTelegram(apis);
  const closed: (typeof telegram)[] = [];
  const telegramPort = Number(new URL(telegram.base).port);
  const cables = {
    run: await layLink(nats.port),
    notify: await layLink(nats.port),
    status: await layLink(nats.port),
    telegram: await layLink(telegramPort),
  };

  // Due every half hour of the fast clock: the watch makes up for what was missed, as it does at any time of day.
  const stackFile = join(folder, "stack.yml");
  const cron = { topic: "cron-function", schedule: "*/30 * * * *" };
  const functions = { "backup-factorio": { image: "none", annotations: cron } };
  await writeFile(stackFile, JSON.stringify({ version: "1.0", provider: { name: "openfaas" }, functions }));
  const settings = JSON.stringify({
    ...{ nas: "./nas", state: "./state", secrets: "./secrets", nasTimeoutSeconds: 1 },
    apps: { factorio: { saves: places(folder).saves, keep: 3 } },
    status: { stackFile, scrubHours: 0, drillDays: 0, digestAt: "off" },
    notify: { telegram: { apiBase: `http://127.0.0.1:${cables.telegram.port}`, timeoutSeconds: 2 } },
  });
  await writeFile(config, settings);

  const service = "backup-factorio";
  const runNatsUrl = `nats://127.0.0.1:${cables.run.port}`;
  // The runs that the watch starts tell what waits, too.
  const backup = await loadFunction(service, { configPath: config, natsUrl: runNatsUrl, log: silentLog });
  const gateway = createGateway({
    functions: new Map([[service, backup.fetch]]),
    stack: [{ service, image: "none" }],
    port: 0,
    auth: { user: "admin", password: "" },
    log: silentLog,
  });
  const gatewayUrl = await gateway.start();

  const start = (script: string, ...args: (string | number)[]) =>
    spawn(process.execPath, [join(import.meta.dirname, script), config, ...args.map(String), String(startMs)], {
      stdio: "ignore",
    });
  const stop = async (child: ChildProcess) => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  };
  const startNotify = () => start("notify-process.ts", `nats://127.0.0.1:${cables.notify.port}`);
  const statusPort = await freePort();
  const startStatus = () =>
    start("status-process.ts", `nats://127.0.0.1:${cables.status.port}`, gatewayUrl, statusPort);
  let notify = startNotify();
  let status = startStatus();
  /** When what notify writes down, or notify itself, was killed. */
  const torn: number[] = [];
  const messages = () => [...closed, telegram].flatMap(({ api }) => api.messages);

  let tick = 1000;
  const away = `${nas}-away`;
  const parts: Part[] = [
    {
      name: "NATS",
      async kill() {
        await nats.kill();
        torn.push(clock.now());
      },
      async revive() {
        nats = await startNatsServer({ folder: natsFolder, port: nats.port });
      },
    },
    {
      name: "notify",
      async kill() {
        await stop(notify);
        torn.push(clock.now());
      },
      async revive() {
        notify = startNotify();
      },
    },
    {
      name: "status",
      kill: () => stop(status),
      async revive() {
        status = startStatus();
      },
    },
    {
      name: "Telegram",
      async kill() {
        await telegram.close();
        closed.push(telegram);
      },
      async revive() {
        const { faults } = telegram;
        telegram = await serveTelegram({ ...apis, port: telegramPort });
        telegram.faults.push(...faults);
      },
    },
    { name: "the NAS", kill: () => rename(nas, away), revive: () => rename(away, nas) },
    {
      name: "the network",
      async kill() {
        for (const cable of Object.values(cables)) cable.cut();
        torn.push(clock.now());
      },
      async revive() {
        for (const cable of Object.values(cables)) cable.heal();
      },
    },
  ];

  return {
    parts,
    async run(request) {
      const publisher = publisherTo(async () => runNatsUrl, { name: "run", log: silentLog });
      try {
        // A run that the watch has started has the lock: whoever calls is told so, and nobody else.
        const isBusy = ({ outcome }: Carried) => outcome.failure?.code === "app_busy";
        for (;;) {
          const carried = await carry(config, "factorio", request, { publisher });
          if (!isBusy(carried)) return carried.runId;
          await delay(50);
        }
      } finally {
        await publisher.close();
      }
    },
    async playOn() {
      tick += 600;
      await play(folder, tick, { levelBytes: 2000 });
    },
    async look() {
      const url = `http://127.0.0.1:${statusPort}`;
      await fetch(url, { method: "POST", signal: AbortSignal.timeout(5000) }).catch(() => {});
    },
    async conditions() {
      const bus = await openBus(nats.url, { name: "test", log: silentLog });
      const found: ConditionEvent[] = [];
      for await (const event of bus.history(0)) if ("condition" in event.data) found.push(event as ConditionEvent);
      await bus.close();
      return found;
    },
    loseAnswer(how) {
      // One after the other: hardly a message gets out in a long outage.
      if (telegram.faults.length === 0) telegram.faults.push(how);
    },
    messages,
    unanswered: () => [...closed, telegram].flatMap(({ unanswered }) => unanswered),
    torn: () => {
      const all = messages();
      return torn.map((killedAt) => {
        const last = all.findLastIndex(({ at }) => at <= killedAt);
        return all.slice(Math.max(last, 0), last + 2);
      });
    },
    async close() {
      await stop(notify);
      await stop(status);
      await gateway.stop(0);
      await nats.kill();
      await telegram.close();
      for (const cable of Object.values(cables)) await cable.close();
    },
  };
}
