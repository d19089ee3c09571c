import type { AppView } from "../../../shared/run/report.ts";
import { type Clock, count, formatAge } from "../../../shared/words.ts";
import { discover } from "../apps.ts";
import type { Command } from "../command.ts";
import { exits } from "../exit.ts";
import { describeFailure } from "../failure.ts";
import { formatTable, formatWhen } from "../format.ts";

export const status: Command = {
  name: "status",
  names: "none",
  takes: [],
  summary: "show what is saved since when, what runs and what waits",
  async run({ client, types, terminal, clock }) {
    const { apps, failed } = await discover(client, types);
    for (const line of formatTable(apps.map(({ view, label }) => describeApp(view, label, clock()))))
      terminal.out(line);
    for (const { fn, error } of failed) for (const line of describeFailure(error, fn.backup)) terminal.err(line);
    return failed.length === 0 ? exits.ok : exits.failed;
  },
};

/** One line of the table. */
export function describeApp(
  { points, lastGood, lastOutcome, running, waiting, pausedUntil, ...view }: AppView,
  label: string,
  clock: Clock,
): string[] {
  const ago = (at: string) => `${formatAge(clock.nowMs - Date.parse(at))} ago`;
  const notes = [
    running && `running: ${running.operation}, started by ${running.startedBy} ${ago(running.startedAt)}`,
    pausedUntil && `paused until ${formatWhen(Date.parse(pausedUntil), clock)}`,
    waiting && `waiting: ${waiting}`,
    lastOutcome?.failure &&
      `last run ${lastOutcome.outcome} ${ago(lastOutcome.finishedAt)}: ${lastOutcome.failure.message}`,
  ];
  for (const { operation, outcome, finishedAt, failure, drill } of [view.lastScrub, view.lastDrill].filter(
    (run) => run !== undefined,
  )) {
    const why = failure?.message ?? drill?.hindrance?.message;
    if (why !== undefined) notes.push(`last ${operation} ${outcome} ${ago(finishedAt)}: ${why}`);
  }
  for (const check of view.checking ?? [])
    notes.push(`running: ${check.operation}, started by ${check.startedBy} ${ago(check.startedAt)}`);
  return [
    label,
    lastGood ? `good ${ago(lastGood.at)} (${formatWhen(Date.parse(lastGood.at), clock)})` : "no good backup yet",
    count(points.length, "restore point"),
    notes.filter(Boolean).join("; ") || "idle",
  ];
}
