import { request } from "../http.ts";
import type { ReadSecret } from "../secret.ts";
import { toPlain } from "../text.ts";
import { readStatus, withoutSecret } from "./answer.ts";
import type { Channel } from "./channel.ts";

/**
 * POSTs JSON to an address that is a secret: `{title, text, urgency, kind, app?, silent, events}`; `events` are the
 * CloudEvents that the message tells, several when it tells of failures with one cause.
 */
export function webhookChannel(urlSecret: string, readSecret: ReadSecret, timeoutMs: number): Channel {
  return {
    name: "webhook",
    placeOf: () => "webhook",
    readyAt: () => 0,
    async send({ message: { title, text, urgency, kind, app }, events, silent }) {
      const url = await readSecret(urlSecret);
      if (url === undefined || !URL.canParse(url)) return withoutSecret(urlSecret);
      const body = JSON.stringify({ title, text: toPlain(text), urgency, kind, app, silent, events });
      const headers = { "content-type": "application/json" };
      const answer = await request(url, { method: "POST", headers, body }, { timeoutMs });
      return "status" in answer ? readStatus("the webhook", answer) : answer;
    },
  };
}
