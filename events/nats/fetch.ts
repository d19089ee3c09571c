import type { Consumer, JsMsg } from "@nats-io/jetstream";
import { answerMs } from "./connect.ts";

/**
 * Up to `max` messages, all that come within `waitMs` (a second at least); when `end` aborts, those that came before.
 * @throws {Error} When NATS does not answer, or the consumer is gone.
 */
export async function fetchMessages(
  consumer: Consumer,
  { max, waitMs, end }: { max: number; waitMs: number; end?: AbortSignal | undefined },
): Promise<JsMsg[]> {
  const messages = await consumer.fetch({ max_messages: max, expires: waitMs });
  const ended = new AbortController();
  end?.addEventListener("abort", () => messages.stop(), { signal: ended.signal });
  if (end?.aborted) messages.stop();
  // Where the connection is lost meanwhile, the client waits until it is back.
  const late = setTimeout(() => messages.stop(new Error("NATS did not answer")), waitMs + answerMs);
  const found: JsMsg[] = [];
  try {
    for await (const message of messages) found.push(message);
  } catch (error) {
    // What has come is handed over; what goes wrong for good goes wrong the next time, too.
    if (found.length === 0) throw error;
  } finally {
    clearTimeout(late);
    ended.abort();
  }
  return found;
}
