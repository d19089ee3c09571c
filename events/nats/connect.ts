import { type JetStreamClient, type JetStreamManager, jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { AuthorizationError, connect, UserAuthenticationExpiredError } from "@nats-io/transport-node";
import type { BusLog } from "../bus.ts";
import { readNatsUrl } from "./address.ts";
import { within } from "./deadline.ts";
import { awaitGreeting } from "./greeting.ts";

/** For connecting, and for each answer of JetStream, in ms. */
export const answerMs = 5000;

export interface Connection {
  readonly nats: NatsConnection;
  readonly js: JetStreamClient;
  readonly manager: JetStreamManager;
  connected(): boolean;
  close(): Promise<void>;
}

/** @throws {Error} When there is no connection within `answerMs`. */
export async function connectTo(url: string, { name, log }: { name: string; log: BusLog }): Promise<Connection> {
  const { servers, credentials } = readNatsUrl(url);
  const at = servers.join(", ");
  await Promise.any(servers.map((server) => awaitGreeting(new URL(server), answerMs))).catch((error) => {
    throw new Error(whyNot((error as AggregateError).errors[0], at, credentials.user));
  });
  const connecting = connect({
    servers,
    ...credentials,
    name: `keepsake ${name}`,
    timeout: answerMs,
    // Once there was a connection, it is made again without end, also when the password has changed meanwhile.
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    reconnectTimeWait: 500,
    pingInterval: 10_000,
    maxPingOut: 2,
  });
  let givenUp = false;
  const nats = await within(answerMs, "connect", connecting).catch((error) => {
    givenUp = true;
    throw new Error(whyNot(error, at, credentials.user));
  });
  // One that comes late is not wanted any more.
  connecting.then((late) => (givenUp ? late.close() : undefined)).catch(() => {});
  const js = jetstream(nats, { timeout: answerMs });
  let isUp = true;
  void (async () => {
    for await (const { type } of nats.status()) {
      if (type !== "disconnect" && type !== "reconnect") continue;
      isUp = type === "reconnect";
      log[isUp ? "info" : "warn"]({ nats: at }, isUp ? "NATS is back" : "NATS is away");
    }
  })();
  return {
    nats,
    js,
    manager: await js.jetstreamManager(false),
    connected: () => isUp && !nats.isClosed(),
    // Everything that was to be sent has been answered.
    close: () => within(answerMs, "close", nats.close()).catch(() => {}),
  };
}

function whyNot(error: unknown, at: string, user: string | undefined): string {
  const isRefused = error instanceof AuthorizationError || error instanceof UserAuthenticationExpiredError;
  if (!isRefused) return `Cannot reach NATS at ${at}: ${(error as Error).message}`;
  const who = user === undefined ? "whoever comes without a user it knows" : `user "${user}" with this password`;
  return `Cannot use NATS at ${at}: it refuses ${who}. They stand in the secret nats-url, or in NATS_URL: nats://user:password@host`;
}
