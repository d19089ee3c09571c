import type { RunRequest } from "../../shared/run/description.ts";
import type { RunView } from "../../shared/run/report.ts";
import { type Clock, formatAge } from "../../shared/words.ts";
import type { Client } from "./client.ts";
import { CliError, exits } from "./exit.ts";
import { followRun } from "./follow.ts";
import { describeOutcome, endedWell } from "./outcome.ts";
import { ProgressDisplay } from "./progress-display.ts";
import type { Terminal } from "./terminal.ts";

export interface Watching {
  readonly client: Client;
  readonly terminal: Terminal;
  readonly clock: () => Clock;
}

export interface WatchedRun {
  readonly fn: string;
  readonly app: string;
  readonly label: string;
}

/** Starts a run, or joins it, shows it to its end and tells the outcome. */
export async function startAndWatch(watching: Watching, target: WatchedRun, request: RunRequest): Promise<RunView> {
  const { client, terminal, clock } = watching;
  const run = await client.start(target.fn, request);
  if (run.joined && run.status === "running") {
    const age = formatAge(clock().nowMs - Date.parse(run.startedAt));
    terminal.err(`${target.label}  joining the ${run.operation} that ${run.startedBy} started (${age})`);
  }
  const ended = await watch(watching, target, run);
  tell(watching, target.label, ended);
  return ended;
}

/** Good news on standard output, bad news on standard error. */
export function tell({ terminal, clock }: Pick<Watching, "terminal" | "clock">, label: string, run: RunView): void {
  const lines = run.outcome ? describeOutcome(label, run.outcome, clock()) : [`${label}  ${run.status}`];
  for (const line of lines) endedWell(run) ? terminal.out(line) : terminal.err(line);
}

/**
 * Follows a run with its progress on the screen. Ctrl-C asks whether to leave the run going or cancel it, a second one
 * leaves it; where nobody can be asked the run is left going at once.
 *
 * @throws {CliError} `interrupted` when the run was left going, or ended after it was cancelled this way.
 */
export async function watch(watching: Watching, target: WatchedRun, run: RunView): Promise<RunView> {
  const { client, terminal } = watching;
  const display = new ProgressDisplay(terminal, target.label);
  const leaving = new AbortController();
  const question = new AbortController();
  let interrupts = 0;
  let cancelled = false;

  const leave = (exit: number = exits.interrupted) => leaving.abort(left(client, target, run, exit));
  const ask = async () => {
    display.paused = true;
    const answer = await terminal.ask("\nLeave the run going, or cancel it? [l = leave, c = cancel] ", question.signal);
    if (question.signal.aborted) return;
    display.paused = false;
    if (!/^c/i.test(answer)) return leave();
    cancelled = true;
    await client.cancel(target.fn, run.id);
    terminal.err(`${target.label}  cancelling`);
  };
  const stopListening = terminal.onInterrupt((signal) => {
    interrupts++;
    if (signal !== "SIGINT") leave(exits.terminated);
    else if (!terminal.interactive || interrupts > 1) leave();
    else ask().catch((error) => leaving.abort(error));
  });
  try {
    const ended = await followRun(client, target.fn, run, {
      onProgress: (progress) => display.show(progress),
      onSilence: (ms) => display.silence(ms),
      signal: leaving.signal,
    });
    if (cancelled) {
      question.abort();
      display.clear();
      tell(watching, target.label, ended);
      throw new CliError(exits.interrupted, ""); // all is said
    }
    return ended;
  } finally {
    question.abort();
    stopListening();
    display.clear();
  }
}

function left(client: Client, { fn, app }: WatchedRun, run: RunView, exit: number): CliError {
  return new CliError(exit, `The run ${run.id} goes on`, {
    hint: [
      `How it gets on:  make status`,
      `Follow it:       curl -N -H 'Accept: text/event-stream' '${client.runUrl(fn, run.id)}'`,
      `Cancel it:       make cancel-${app}`,
    ].join("\n"),
  });
}
