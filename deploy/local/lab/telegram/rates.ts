/*
 * How much one bot may send (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this): about
 * one message a second in one chat, short bursts let through; 20 a minute in one group.
 */

const burst = 3;
const perGroupAndMinute = 20;

export class Rates {
  readonly #now: () => number;
  readonly #taken = new Map<string, number[]>();
  readonly #floodedUntil = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** @returns undefined when one more message may be taken, else the seconds to wait. Who asks too early waits longer. */
  retryAfter(chat: string, isGroup: boolean): number | undefined {
    const now = this.#now();
    const until = this.#floodedUntil.get(chat) ?? 0;
    if (now < until) return this.#flooded(chat, until - now + 1000);
    const taken = (this.#taken.get(chat) ?? []).filter((at) => at > now - 60_000);
    if (isGroup && taken.length >= perGroupAndMinute)
      return this.#flooded(chat, (taken[taken.length - perGroupAndMinute] as number) + 60_000 - now);
    // A burst is forgiven as long as the last few messages keep to one a second on average.
    const first = taken.at(-burst);
    if (first !== undefined && now - first < (burst - 1) * 1000) return this.#flooded(chat, first + burst * 1000 - now);
    return undefined;
  }

  count(chat: string): void {
    const now = this.#now();
    this.#taken.set(chat, [...(this.#taken.get(chat) ?? []).filter((at) => at > now - 60_000), now]);
  }

  #flooded(chat: string, waitMs: number): number {
    const seconds = Math.max(1, Math.ceil(waitMs / 1000));
    this.#floodedUntil.set(chat, this.#now() + seconds * 1000);
    return seconds;
  }
}
