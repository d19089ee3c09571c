import { loadConfig } from "../../shared/config.ts";
import { createLog, type Logger } from "../../shared/log.ts";
import { natsUrlOf } from "../../shared/nats-url.ts";
import type { FunctionOptions, ServedFunction } from "../function.ts";
import { loadAppTypes } from "../types.ts";
import { allChannels } from "./channels/all.ts";
import { pings } from "./channels/ping.ts";
import { type Clock, realClock } from "./clock.ts";
import { notifyApi } from "./http-api.ts";
import { LateMemory } from "./memory.ts";
import { Notifier } from "./notifier.ts";
import type { NotifierOptions } from "./options.ts";
import { movedChats } from "./remembered.ts";
import { secretsIn } from "./secret.ts";
import { readSettings } from "./settings.ts";

const pingTimeoutMs = 15_000;
/** Whatever may have been missed, so long at most. */
const longestRestMs = 15 * 60_000;

/**
 * The function `notify`: tells people what happened, of its own accord once it is started.
 * @throws {Failure} `invalid_config`.
 */
export async function loadNotify({
  configPath,
  log = createLog("notify"),
  natsUrl,
  clock = realClock,
}: FunctionOptions & { clock?: Clock }): Promise<Required<ServedFunction>> {
  const config = await loadConfig(configPath, await loadAppTypes());
  const titles = new Map(config.apps.map(({ name, type }) => [name, type.title]));
  const settings = readSettings(config.notify, [...titles.keys()]);
  const readSecret = secretsIn(config.secrets);
  const memory = new LateMemory();
  const moved = movedChats(memory);
  const url = () => natsUrlOf(config, natsUrl || process.env.NATS_URL);
  const notifier = new Notifier(
    {
      ...((await url()) !== undefined && { open: natsOf(url, log) }),
      onConnected: () => moved.load(),
      channels: allChannels({ settings, readSecret, moved, clock }),
      ...(settings.ping && { pings: pings(settings.ping, readSecret, { timeoutMs: pingTimeoutMs, now: clock.now }) }),
      settings,
      wording: { titleOf: (app) => titles.get(app), timeZone: config.timeZone },
      log,
      clock,
    },
    memory,
  );
  const api = notifyApi({ notifier, secrets: config.secrets, timeZone: config.timeZone, log, now: clock.now });
  return {
    fetch: async (request) => api.fetch(request),
    start: () => notifier.start(),
    stop: () => notifier.stop(),
    rest: async () => (notifier.isAtRest() ? { forMs: longestRestMs, ...bellAt(await url()) } : { forMs: 0 }),
  };
}

const bellAt = (url: string | undefined) => (url === undefined ? {} : { bell: url });

/** A connection for each time that NATS is found again: whom it lets in may have changed meanwhile. */
function natsOf(url: () => Promise<string | undefined>, log: Logger): NonNullable<NotifierOptions["open"]> {
  return async () => {
    const { openBus } = await import("../../events/bus.ts");
    const bus = await openBus((await url()) ?? "", { name: "notify", log });
    try {
      const inbox = await bus.inbox("notify");
      return { inbox: { ...inbox, close: () => bus.close() }, memory: await bus.memory("notify") };
    } catch (error) {
      await bus.close();
      throw error;
    }
  };
}
