import type { Consumer, JsMsg } from "@nats-io/jetstream";
import type { Delivery, Inbox, Poison } from "../inbox.ts";
import { answerMs, type Connection } from "./connect.ts";
import { declareDurable } from "./durable.ts";
import { fetchMessages } from "./fetch.ts";
import { readEvent } from "./read-event.ts";
import { declaredAgain, declareStream, streamName } from "./stream.ts";

/** The client asks the server for no less. */
const shortestMs = 1000;

/** @throws {Error} When NATS is away. */
export async function openInbox(connection: Connection, durable: string): Promise<Inbox> {
  const declare = async () => {
    await declareStream(connection);
    await declareDurable(connection, durable);
    consumer = await connection.js.consumers.get(streamName, durable);
  };
  let consumer: Consumer | undefined;
  await declare();
  const closed = new AbortController();
  let left = 0;

  return {
    async take(max, waitMs, signal) {
      if (!connection.connected()) throw new Error("Cannot look for events: NATS is away");
      const end = AbortSignal.any([closed.signal, ...(signal ? [signal] : [])]);
      if (end.aborted) return [];
      const pull = async () => {
        // To be asked for messages of a consumer that is gone, a server answers nothing.
        await consumer?.info();
        const [first] = await fetchMessages(consumer as Consumer, {
          max: 1,
          waitMs: Math.max(waitMs, shortestMs),
          end,
        });
        if (!first) return [];
        // The others that wait are there already.
        const more = Math.min(max - 1, first.info.pending);
        if (more < 1 || end.aborted) return [first];
        return [first, ...(await fetchMessages(consumer as Consumer, { max: more, waitMs: shortestMs, end }))];
      };
      const messages = await declaredAgain(pull, declare);
      left = messages.at(-1)?.info.pending ?? 0;
      return messages.map(handOver);
    },
    left: () => left,
    async close() {
      closed.abort();
    },
  };
}

function handOver(message: JsMsg): Delivery | Poison {
  const taken = async () => {
    await message.ackAck({ timeout: answerMs });
  };
  const read = readEvent(message.data, message.subject);
  const common = { storedAt: message.time, taken };
  if ("why" in read) return { ...common, raw: message.data, subject: message.subject, why: read.why };
  return {
    ...common,
    event: read.event,
    attempt: message.info.deliveryCount,
    async later(afterMs) {
      message.nak(Math.max(1, Math.round(afterMs)));
    },
    async working() {
      message.working();
    },
  };
}
