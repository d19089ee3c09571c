import type { Refused } from "./told.ts";

/** The first wait after a passing failure, and the longest one, in ms. */
const passingMs = { first: 2000, most: 60_000 };
/** What somebody has to change is tried now and then: somebody may have. */
const permanentMs = { first: 60_000, most: 300_000 };

export interface Refusal {
  /** The first failure since the last message that was taken, in ms since 1970. */
  readonly since: number;
  readonly until: number;
  readonly isPermanent: boolean;
  /** The channel itself said how long to wait. */
  readonly asked: boolean;
  readonly why: string;
  readonly hint?: string;
  readonly failures: number;
}

/** Which channels, and which chats of them, take nothing at the moment, since when and why. Times in ms since 1970. */
export class Refusals {
  readonly #known = new Map<string, Refusal>();

  /** @param place undefined: the whole channel. */
  note(channel: string, place: string | undefined, refused: Refused, now: number): void {
    const key = keyOf(channel, place);
    const before = this.#known.get(key);
    const isPermanent = refused.outcome === "permanent";
    const failures = (before?.failures ?? 0) + 1;
    const { first, most } = isPermanent ? permanentMs : passingMs;
    const waitMs = refused.outcome === "wait" ? refused.afterMs : Math.min(first * 2 ** (failures - 1), most);
    this.#known.set(key, {
      since: before?.since ?? now,
      until: now + waitMs,
      isPermanent,
      asked: refused.outcome === "wait",
      why: refused.why,
      ...(isPermanent && refused.hint !== undefined && { hint: refused.hint }),
      failures,
    });
  }

  /** A message was taken there. */
  clear(channel: string, place: string): void {
    this.#known.delete(keyOf(channel));
    this.#known.delete(keyOf(channel, place));
  }

  /** The refusal that counts for a place of a channel: its own, or that of the whole channel; the longer one. */
  of(channel: string, place: string): Refusal | undefined {
    const found = [this.#known.get(keyOf(channel)), this.#known.get(keyOf(channel, place))];
    return found.reduce((a, b) => (a === undefined || (b !== undefined && b.until > a.until) ? b : a));
  }

  /** Everything may be tried right away, but for what asked to wait. */
  forgetWaits(): void {
    for (const [key, refusal] of this.#known) if (!refusal.asked) this.#known.set(key, { ...refusal, until: 0 });
  }

  /** Whatever of the channel refuses, the one that does for the longest time. */
  worstOf(channel: string): Refusal | undefined {
    const all = [...this.#known].filter(([key]) => key.split("\n")[0] === channel).map(([, refusal]) => refusal);
    return all.toSorted((a, b) => a.since - b.since)[0];
  }
}

const keyOf = (channel: string, place = "") => `${channel}\n${place}`;
