import type { Event } from "./event.ts";
import type { Inbox } from "./inbox.ts";
import type { Memory } from "./memory.ts";
import { connectTo } from "./nats/connect.ts";
import { readHistory } from "./nats/history.ts";
import { openInbox } from "./nats/inbox.ts";
import { openMemory } from "./nats/memory.ts";
import { natsPublisher } from "./nats/publisher.ts";
import { declareStream } from "./nats/stream.ts";
import type { Publisher } from "./publisher.ts";

/*
 * The way to NATS. Whoever may do without loads this file when it is needed: the client's packages take a tenth of a
 * second to load.
 */

export interface BusLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Every call has a deadline and rejects when it passes; nothing waits for ever for a NATS that is away or hangs. */
export interface EventBus {
  readonly publisher: Publisher;
  /** What waits for one consumer. Its durable begins with the oldest event there is, and is made when it is missing. */
  inbox(durable: string): Promise<Inbox>;
  /** What a consumer keeps beside it, in a bucket of its own, which is made when it is missing. */
  memory(bucket: string): Promise<Memory>;
  /**
   * The events that were stored since a moment, oldest first, up to the newest at the time of the call. What is no
   * event that this version knows is left out and logged.
   */
  history(sinceMs: number, signal?: AbortSignal): AsyncIterable<Event>;
  /** Whether the connection stands; a lost one is made again without end. */
  connected(): boolean;
  close(): Promise<void>;
}

/**
 * Connects, and declares the stream.
 * @param url "nats://host:4222", with user and password where they are wanted; several after each other with commas.
 * @param options.name Who connects, for people who look at the server: "notify".
 * @throws {Error} While NATS is away, refuses the user, or has no JetStream. Its message holds no secret.
 */
export async function openBus(
  url: string,
  { name, log }: { readonly name: string; readonly log: BusLog },
): Promise<EventBus> {
  const connection = await connectTo(url, { name, log });
  try {
    await declareStream(connection);
  } catch (error) {
    await connection.close();
    throw error;
  }
  return {
    publisher: natsPublisher(connection),
    inbox: (durable) => openInbox(connection, durable),
    memory: (bucket) => openMemory(connection, bucket),
    history: (sinceMs, signal) => readHistory(connection, { sinceMs, log, ...(signal && { signal }) }),
    connected: connection.connected,
    close: connection.close,
  };
}
