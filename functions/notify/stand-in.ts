import type { Channel } from "./channels/channel.ts";
import type { Item } from "./item.ts";
import type { Channels, NotifierOptions } from "./options.ts";
import type { Refusal, Refusals } from "./refusals.ts";
import { groupOf, tellingOf } from "./telling.ts";
import type { ToldBefore } from "./told-before.ts";
import { moment } from "./words.ts";

/** Tells the other channels, once, what a main one refuses for good, or has not taken for too long. */
export class StandIn {
  readonly #options: NotifierOptions;
  readonly #told: ToldBefore;
  readonly #refusals: Refusals;

  constructor(options: NotifierOptions, told: ToldBefore, refusals: Refusals) {
    this.#options = options;
    this.#told = told;
    this.#refusals = refusals;
  }

  /** Rejects when what was told cannot be looked up, but for what was handed in. */
  async consider(item: Item, held: readonly Item[], { main, others }: Channels): Promise<void> {
    if (item.route.how !== "loud") return;
    const missing = others.filter(({ name }) => !item.stoodInBy.has(name));
    const overdue = missing.length > 0 ? this.#overdue(item, main) : undefined;
    if (!overdue) return;
    for (const channel of missing) {
      const known = await this.#told.know(channel.name, item.id).catch((error) => {
        if (!item.isPosted) throw error;
        return "no" as const;
      });
      if (known === "told") item.stoodInBy.add(channel.name);
      else await this.#tell(channel, groupOf(item, held), overdue);
    }
  }

  #overdue(item: Item, main: readonly Channel[]): (Refusal & { channel: string }) | undefined {
    const { clock, settings, wording } = this.#options;
    const telling = tellingOf([item], wording);
    for (const channel of main) {
      const refusal = this.#refusals.of(channel.name, channel.placeOf(telling));
      if (!refusal || item.toldBy.has(channel.name)) continue;
      const isLong = clock.now() - refusal.since >= settings.otherChannelsAfterMinutes * 60_000;
      if (refusal.isPermanent || isLong) return { ...refusal, channel: channel.name };
    }
    return undefined;
  }

  async #tell(channel: Channel, group: readonly Item[], overdue: Refusal & { channel: string }): Promise<void> {
    const { clock, wording, log } = this.#options;
    const fresh = group.filter(({ stoodInBy }) => !stoodInBy.has(channel.name));
    const ids = fresh.map(({ id }) => id);
    if ((this.#refusals.of(channel.name, channel.name)?.until ?? 0) > clock.now()) return;
    const since = moment(overdue.since, wording.timeZone);
    const why = `This way because ${overdue.channel} has taken nothing since ${since}: ${overdue.why}`;
    const answer = await channel.send(tellingOf(fresh, wording, [[why]]));
    if (answer.outcome === "taken") {
      this.#refusals.clear(channel.name, channel.name);
      for (const { stoodInBy } of fresh) stoodInBy.add(channel.name);
      await this.#told.add(channel.name, ids, answer.messageId);
      log.info({ channel: channel.name, events: ids }, "another channel was told instead");
      return;
    }
    this.#refusals.note(channel.name, undefined, answer, clock.now());
    log.warn({ channel: channel.name, why: answer.why, events: ids }, "a message was not taken");
  }
}
