import { setTimeout as delay } from "node:timers/promises";
import { connect, type NatsConnection, type Subscription } from "@nats-io/transport-node";
import { readNatsUrl } from "../../../events/nats/address.ts";
import type { Logger } from "../../../shared/log.ts";
import { type FunctionStatus, namespace } from "./deployments.ts";

export interface NatsConnectorOptions {
  readonly natsUrl: string;
  readonly gatewayUrl: string;
  readonly functions: () => readonly FunctionStatus[];
  readonly log: Logger;
  /** How often the list of functions is looked at, and a NATS that was away at the start is tried again. */
  readonly rebuildMs?: number;
}

export interface NatsConnector {
  /** The subjects that it listens to. */
  topics(): string[];
  stop(): Promise<void>;
}

/** The topic of functions that the other connector calls. */
const ofCron = "cron-function";

/**
 * The part of OpenFaaS's nats-connector: calls the functions whose `topic`, split at commas, has the subject of a
 * message, with its payload as the body. Core NATS: what comes while nobody listens is gone. A failed call is logged,
 * nothing more; functions on one topic are called one after the other. After two minutes without its NATS it is deaf
 * for good, as the real one is.
 */
export function startNatsConnector(options: NatsConnectorOptions): NatsConnector {
  const { natsUrl, gatewayUrl, functions, log, rebuildMs = 10_000 } = options;
  const subscriptions = new Map<string, Subscription>();
  const stopping = new AbortController();
  let heard: string[] = [];

  const call = async (name: string, topic: string, payload: Uint8Array) => {
    try {
      const response = await fetch(`${gatewayUrl}/async-function/${name}.${namespace}`, {
        method: "POST",
        headers: { "X-Connector": "connector-sdk", "X-Topic": topic },
        body: new Uint8Array(payload),
      });
      await response.body?.cancel();
      log[response.ok ? "info" : "warn"]({ function: name, topic, status: response.status }, "event handed over");
    } catch (error) {
      log.warn({ function: name, topic, problem: (error as Error).message }, "an event could not be handed over");
    }
  };

  const listen = async (subscription: Subscription, topic: string) => {
    for await (const { data } of subscription) {
      for (const name of namesOn(functions(), topic)) await call(name, topic, data);
    }
  };

  const rebuild = (nats: NatsConnection) => {
    const wanted = topicsOf(functions());
    for (const [topic, subscription] of subscriptions) {
      if (wanted.has(topic)) continue;
      subscription.unsubscribe();
      subscriptions.delete(topic);
    }
    for (const topic of wanted) {
      if (subscriptions.has(topic)) continue;
      const subscription = nats.subscribe(topic, { queue: "keepsake" });
      subscriptions.set(topic, subscription);
      void listen(subscription, topic);
    }
  };

  const work = async () => {
    const nats = await connected();
    if (!nats) return;
    void nats.closed().then(() => {
      if (!stopping.signal.aborted) log.warn("NATS was away for too long: no event wakes a function any more");
    });
    while (!stopping.signal.aborted && !nats.isClosed()) {
      rebuild(nats);
      await nats.flush().catch(() => {});
      heard = [...subscriptions.keys()];
      await pause();
    }
    heard = [];
    await nats.close();
  };

  const connected = async (): Promise<NatsConnection | undefined> => {
    const { servers, credentials } = readNatsUrl(natsUrl);
    for (let tries = 1; !stopping.signal.aborted; tries += 1) {
      try {
        // Go's client gives up after 60 tries, 2 s apart.
        const once = { maxReconnectAttempts: 60, reconnectTimeWait: 2000, timeout: 5000 };
        return await connect({ servers, ...credentials, ...once, name: "keepsake nats-connector" });
      } catch (error) {
        if (tries === 1) log.warn(`Cannot listen for events at ${servers.join(", ")}: ${(error as Error).message}`);
        await pause();
      }
    }
    return undefined;
  };

  const pause = () => delay(rebuildMs, undefined, { signal: stopping.signal }).catch(() => {});

  const working = work();
  return {
    topics: () => heard,
    async stop() {
      stopping.abort();
      await working;
    },
  };
}

const partsOf = ({ annotations }: FunctionStatus) => (annotations?.topic ?? "").split(",");

const namesOn = (functions: readonly FunctionStatus[], topic: string): string[] =>
  functions.filter((fn) => partsOf(fn).includes(topic)).map(({ name }) => name);

/** No wildcards: a part of a topic is one subject. */
const topicsOf = (functions: readonly FunctionStatus[]): Set<string> =>
  new Set(functions.flatMap(partsOf).filter((topic) => /^[\w-]+(?:\.[\w-]+)*$/.test(topic) && topic !== ofCron));
