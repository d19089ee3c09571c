/*
 * How fast Telegram lets one bot write: about one message a second in a chat, and 20 a minute in a group
 * (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this).
 */
const betweenMs = 1100;
const perMinute = 19;
const minuteMs = 61_000;

/** Remembers what was sent to each chat, so that the limits are kept across messages. Times in ms. */
export class Pace {
  readonly #sent = new Map<string, number[]>();
  readonly #notBefore = new Map<string, number>();

  /** @returns When the next message to the chat may be sent; in the past when it may be now. */
  readyAt(chat: string): number {
    const sent = this.#sent.get(chat) ?? [];
    const afterLast = (sent.at(-1) ?? Number.NEGATIVE_INFINITY) + betweenMs;
    // Ids of groups and channels are negative, or a name.
    const oldest = /^\d/.test(chat) ? undefined : sent.at(-perMinute);
    return Math.max(afterLast, (oldest ?? Number.NEGATIVE_INFINITY) + minuteMs, this.#notBefore.get(chat) ?? 0);
  }

  /** Attempts count: whether Telegram counts one whose answer was lost, nobody knows. */
  sent(chat: string, at: number): void {
    this.#sent.set(chat, [...(this.#sent.get(chat) ?? []).slice(-perMinute), at]);
  }

  /** Telegram asked to wait. */
  holdUntil(chat: string, at: number): void {
    this.#notBefore.set(chat, at);
  }
}
