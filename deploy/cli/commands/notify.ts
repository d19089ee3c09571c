import { RetryView, TrialView } from "../../../shared/http/notify-view.ts";
import { count } from "../../../shared/words.ts";
import type { Command } from "../command.ts";
import { exits } from "../exit.ts";

const fn = "notify";

export const testTelegram: Command = {
  name: "test-telegram",
  names: "none",
  takes: [],
  summary: "send one message over each channel, and say what was answered",
  details: "Fails when a channel has not taken it. What waited for a channel is told when it takes messages again.",
  async run({ client, terminal }) {
    const { channels } = await client.ask(TrialView, "send a message", fn, { operation: "test" });
    for (const { name, messageId, notes } of channels) {
      terminal.out(`${name}  took it${messageId === undefined ? "" : `, as message ${messageId}`}`);
      for (const note of notes) terminal.out(`  ${note}`);
    }
    return exits.ok;
  },
};

export const retryParked: Command = {
  name: "retry-parked",
  names: "none",
  takes: [],
  summary: "tell the events that were put aside, as far as this version can",
  details: "An event is put aside when a channel refuses its message, or when an older version could not read it.",
  async run({ client, terminal }) {
    const { retried } = await client.ask(RetryView, "look at what was put aside", fn, { operation: "retry-parked" });
    terminal.out(
      retried === 0 ? "Nothing that was put aside can be told." : `${count(retried, "event")} will be told.`,
    );
    return exits.ok;
  },
};
