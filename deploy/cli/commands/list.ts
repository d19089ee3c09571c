import type { AppView } from "../../../shared/run/report.ts";
import { type Clock, formatAge, formatBytes, formatDuration } from "../../../shared/words.ts";
import { type Command, namedApp } from "../command.ts";
import { exits } from "../exit.ts";
import { formatTable, formatWhen } from "../format.ts";
import { whenAndAge } from "../outcome.ts";

export const list: Command = {
  name: "list",
  names: "one",
  takes: [],
  summary: "show the restore points of an app",
  details: "AT= takes a name from the list, or a local time such as 'Thu 18:00': the newest at or before it.",
  async run(session) {
    const { terminal, clock } = session;
    const { view, label } = await namedApp(session);
    for (const line of describePoints(view, label, clock())) terminal.out(line);
    return exits.ok;
  },
};

/** What can be gone back to: a sentence, oldest first, then a table, newest first. */
export function describePoints({ points, waiting }: AppView, label: string, clock: Clock): string[] {
  const notes = waiting ? [`Backups wait: ${waiting}`] : [];
  if (points.length === 0) return [`${label}: there is no restore point yet`, ...notes];
  const ago = (at: string) => `${formatAge(clock.nowMs - Date.parse(at))} ago`;
  const damaged = points.flatMap(({ id, damaged }) => (damaged ? [`${id} counts for nothing: ${damaged.why}`] : []));
  const rows = points.map((point) => [
    formatWhen(Date.parse(point.takenAt), clock),
    formatAge(clock.nowMs - Date.parse(point.takenAt)),
    formatBytes(point.sizeBytes),
    point.damaged ? "damaged" : point.verified ? "verified" : "not verified",
    point.scrubbedAt ? ago(point.scrubbedAt) : "-",
    point.proven ? `${ago(point.proven.at)}, in ${formatDuration(point.proven.tookMs)}` : "-",
    point.pinned ? "pinned" : "-",
    point.latest ? "latest" : "-",
    point.id,
    point.files.join(", "),
  ]);
  return [
    `You can go back to ${points
      .toReversed()
      .map(({ takenAt }) => whenAndAge(takenAt, clock))
      .join(", ")}`,
    ...formatTable([
      ["WHEN", "AGE", "SIZE", "VERIFIED", "READ BACK", "PROVEN", "PINNED", "LATEST", "NAME", "FILES"],
      ...rows,
    ]),
    ...damaged,
    ...notes,
  ];
}
