import { request } from "../http.ts";
import type { Message } from "../message.ts";
import type { ReadSecret } from "../secret.ts";
import type { NotifySettings } from "../settings.ts";
import { shorten, toPlain } from "../text.ts";
import { readStatus, withoutSecret } from "./answer.ts";
import type { Channel } from "./channel.ts";

/** Longer messages become attachments, in bytes (https://docs.ntfy.sh/config/#rate-limiting-general). */
const limitBytes = 4096;

const tags: Readonly<Record<Message["urgency"], string>> = {
  good: "white_check_mark",
  info: "information_source",
  warning: "warning",
  problem: "x",
};

/** Publishes as JSON (https://docs.ntfy.sh/publish/#publish-as-json), since headers carry no umlauts. */
export function ntfyChannel(
  settings: NonNullable<NotifySettings["ntfy"]>,
  readSecret: ReadSecret,
  timeoutMs: number,
): Channel {
  return {
    name: "ntfy",
    placeOf: () => "ntfy",
    readyAt: () => 0,
    async send({ message: { title, text, urgency }, silent }) {
      const topic = await readSecret(settings.topicSecret);
      if (topic === undefined || !/^[\w-]{1,64}$/.test(topic)) return withoutSecret(settings.topicSecret);
      const token = settings.tokenSecret === undefined ? undefined : await readSecret(settings.tokenSecret);
      if (settings.tokenSecret !== undefined && !/^[\w-]+$/.test(token ?? ""))
        return withoutSecret(settings.tokenSecret);
      const priority = silent ? 2 : urgency === "problem" ? 4 : 3;
      const message = shortenBytes(toPlain(text.slice(1)), limitBytes);
      const answer = await request(
        settings.url,
        {
          method: "POST",
          headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
          body: JSON.stringify({ topic, title: shorten(title, 200), message, priority, tags: [tags[urgency]] }),
        },
        { timeoutMs },
      );
      return "status" in answer ? readStatus("ntfy", answer) : answer;
    },
  };
}

function shortenBytes(text: string, maximumBytes: number): string {
  let short = text;
  while (Buffer.byteLength(short) > maximumBytes) {
    const excess = Buffer.byteLength(short) - maximumBytes;
    short = shorten(short, short.length - Math.max(2, Math.floor(excess / 4)));
  }
  return short;
}
