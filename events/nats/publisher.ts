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

/**
 * What is too long for NATS would be in the way of all that comes after it. So its lists and texts are cut short, which
 * leaves what any consumer reads of it as it is.
 */
function fitting(event: Event, limitBytes: number): string {
  const text = JSON.stringify(event);
  if (Buffer.byteLength(text) <= limitBytes) return text;
  return JSON.stringify({ ...event, data: { ...(cutShort(event.data) as Event["data"]), shortened: true } });
}

const most = { items: 20, characters: 2000 };

function cutShort(value: unknown): unknown {
  if (typeof value === "string") return value.slice(0, most.characters);
  if (Array.isArray(value)) return value.slice(0, most.items).map(cutShort);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, cutShort(item)]));
}
