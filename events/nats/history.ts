import { DeliverPolicy } from "@nats-io/jetstream";
import type { BusLog } from "../bus.ts";
import type { Event } from "../event.ts";
import { answerMs, type Connection } from "./connect.ts";
import { fetchMessages } from "./fetch.ts";
import { readEvent } from "./read-event.ts";
import { declaredAgain, declareStream, streamName } from "./stream.ts";

/** Fetched at once: so that a history of months is never in memory as a whole. */
const batch = 250;

export async function* readHistory(
  connection: Connection,
  { sinceMs, log, signal }: { sinceMs: number; log: BusLog; signal?: AbortSignal },
): AsyncGenerator<Event> {
  if (!connection.connected()) throw new Error("Cannot read the history: NATS is away");
  const consumer = await declaredAgain(
    () =>
      connection.js.consumers.get(streamName, {
        deliver_policy: DeliverPolicy.StartTime,
        opt_start_time: new Date(Math.max(0, sinceMs)).toISOString(),
      }),
    () => declareStream(connection),
  );
  try {
    let left = (await consumer.info(true)).num_pending;
    while (left > 0) {
      signal?.throwIfAborted();
      const messages = await fetchMessages(consumer, { max: Math.min(left, batch), waitMs: answerMs, end: signal });
      for (const { data, subject, seq } of messages) {
        const read = readEvent(data, subject);
        if ("event" in read) yield read.event;
        else log.warn({ subject, seq, why: read.why }, "what cannot be read is left out of the history");
      }
      // Some may be past their age by now.
      left = messages.length === 0 ? 0 : left - messages.length;
    }
  } finally {
    await consumer.delete().catch(() => {});
  }
}
