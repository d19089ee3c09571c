import { expect, onTestFinished, vi } from "vitest";
import type { Chat } from "../../deploy/local/lab/telegram/bot-api.ts";
import { serveTelegram } from "../../deploy/local/lab/telegram/server.ts";
import { type Event, eventOf } from "../../events/event.ts";
import type { Inbox } from "../../events/inbox.ts";
import type { Memory } from "../../events/memory.ts";
import { allChannels } from "../../functions/notify/channels/all.ts";
import type { Channel } from "../../functions/notify/channels/channel.ts";
import { LateMemory } from "../../functions/notify/memory.ts";
import { Notifier } from "../../functions/notify/notifier.ts";
import type { NotifierOptions } from "../../functions/notify/options.ts";
import { movedChats } from "../../functions/notify/remembered.ts";
import { NotifySettings } from "../../functions/notify/settings.ts";
import type { Outcome } from "../../shared/run/report.ts";
import { describeOutcome, describeRun, silentLog } from "../../shared/testing.ts";
import { FakeNats } from "./fake-nats.ts";
import { jumpingClock } from "./jumping-clock.ts";

export const token = "123456:planted-token-planted-token-planted";

/** A lab: NATS and Telegram as the tests play them, and as many processes of notify as a test starts. */
export async function notifyLab({
  chats = { "7": { type: "private" } },
  settings = {},
}: {
  chats?: Record<string, Chat>;
  settings?: object;
} = {}) {
  const clock = jumpingClock();
  const nats = new FakeNats(clock);
  const telegram = await serveTelegram({ token, chats, now: clock.now });
  onTestFinished(() => telegram.close());
  const secrets: Record<string, string | undefined> = {
    "telegram-bot-token": token,
    "telegram-chat-id": Object.keys(chats)[0],
  };
  const parsed = NotifySettings.parse({ telegram: { apiBase: telegram.base }, ...settings });

  /** @param changes Of the notifier's options. */
  const start = (changes: Partial<NotifierOptions> = {}, timeoutMs = 5000) => {
    const process = { isDead: false };
    const memory = new LateMemory();
    const moved = movedChats(memory);
    const readSecret = async (name: string) => secrets[name];
    const channels = allChannels({ settings: parsed, readSecret, moved, clock, timeoutMs });
    const notifier = new Notifier(
      {
        open: async () => {
          const { inbox, memory } = await nats.open();
          return { inbox: mortal(process, inbox), memory: mortal<Memory>(process, memory) };
        },
        onConnected: () => moved.load(),
        channels: async () => {
          const { main, others } = await channels();
          return { main: main.map((one) => mortal(process, one)), others: others.map((one) => mortal(process, one)) };
        },
        settings: parsed,
        wording: { titleOf: () => undefined, timeZone: "UTC" },
        log: silentLog,
        clock,
        ...changes,
      },
      memory,
    );
    notifier.start();
    onTestFinished(async () => {
      if (!process.isDead) await notifier.stop();
    });
    return Object.assign(notifier, {
      /** kill -9: nothing of it goes on. */
      die() {
        process.isDead = true;
      },
    });
  };
  const texts = () => telegram.api.messages.map(({ text }) => text);
  const titles = () => texts().map((text) => text.split("\n")[0]);
  return { clock, nats, telegram, secrets, start, texts, titles, settings: parsed };
}

/** What is called does not answer any more once the process is dead; asked before, it is asked in vain. */
function mortal<T extends Inbox | Memory | Channel>(process: { isDead: boolean }, real: T): T {
  const never = new Promise<never>(() => {});
  return new Proxy(real, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      // What a channel says of itself does nothing.
      if (typeof value !== "function" || name === "readyAt" || name === "placeOf") return value;
      return (...args: unknown[]) => {
        if (process.isDead) return never;
        const result: unknown = value.apply(target, args);
        return result instanceof Promise ? result.then((answer) => (process.isDead ? never : answer)) : result;
      };
    },
  });
}

/** The event of a backup of Factorio. */
export function backup(id: string, changes: Partial<Outcome> = {}, app = "factorio"): Event {
  return eventOf(describeOutcome(describeRun({ id, app }), { title: "Factorio", ...changes }));
}

export const failure = (
  code: NonNullable<Outcome["failure"]>["code"],
  message = "Cannot use the NAS",
): Partial<Outcome> => ({
  outcome: "failed",
  failure: { code, message, retryable: true },
});

export const until = (holds: () => void) => vi.waitFor(holds, { timeout: 30_000, interval: 5 });

export async function untilAllTold({ nats }: { nats: FakeNats }): Promise<void> {
  await until(() => expect(nats.waiting).toBe(0));
}
