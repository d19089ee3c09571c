import type { Event } from "../event.ts";
import type { Publisher } from "../publisher.ts";
import { answerMs, type Connection } from "./connect.ts";
import { declaredAgain, declareStream, streamName } from "./stream.ts";

/** What a server takes at most unless it says otherwise, and what it may add. */
const limits = { payloadBytes: 1 << 20, headersBytes: 1024 };

/** Publishes into the stream; an event is told once it is stored. The same id again is dropped by the server. */
export function natsPublisher(connection: Connection): Publisher {
  return {
    async publish(event) {
      if (!connection.connected()) throw new Error("Cannot tell an event: NATS is away");
      const limit = (connection.nats.info?.max_payload ?? limits.payloadBytes) - limits.headersBytes;
      const text = fitting(event, limit);
      const send = async () => {
        const options = { msgID: event.id, timeout: answerMs, expect: { streamName } };
        await connection.js.publish(event.subject, text, options);
      };
      await declaredAgain(send, () => declareStream(connection));
    },
  };
}

/** What is too long for NATS would be in the way of all that comes after it: then only what matters is told. */
export function fitting(event: Event, limitBytes: number): string {
  const text = JSON.stringify(event);
  if (Buffer.byteLength(text) <= limitBytes) return text;
  const { data } = event;
  const core = Object.entries(data).filter(([, value]) => typeof value !== "object");
  const short = core.map(([key, value]) => [key, typeof value === "string" ? value.slice(0, 2000) : value]);
  return JSON.stringify({ ...event, data: { ...Object.fromEntries(short), shortened: true } });
}
