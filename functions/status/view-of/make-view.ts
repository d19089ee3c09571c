import type { Progress } from "../../../shared/run/report.ts";
import { overallOf } from "../page/overall.ts";
import type { Condition, StatusView } from "../view.ts";
import type { Knowledge, Situation } from "../watch/situation.ts";
import { appLine, appStatus, runStatus } from "./app-status.ts";

/** The last runs that the view has. */
const runsMost = 1000;

const iso = (ms: number) => new Date(ms).toISOString();

/** @param progress By run: what it told last. */
export function makeView(
  situations: readonly Situation[],
  knowledge: Knowledge,
  progress: ReadonlyMap<string, Progress>,
): StatusView {
  const { known, ledger, nowMs, timeZone } = knowledge;
  const { reachable, sinceMs, checkedMs, freeBytes, totalBytes } = known.nas;
  const view: Omit<StatusView, "overall"> = {
    madeAt: iso(nowMs),
    ...(known.roundMs !== undefined && { watchedAt: iso(known.roundMs) }),
    timeZone,
    nas: {
      ...(reachable !== undefined && { reachable }),
      ...(sinceMs !== undefined && { since: iso(sinceMs) }),
      ...(checkedMs !== undefined && { checkedAt: iso(checkedMs) }),
      ...(freeBytes !== undefined && { freeBytes }),
      ...(totalBytes !== undefined && { totalBytes }),
    },
    events: {
      connected: known.nats.connected,
      since: iso(known.nats.sinceMs),
      undelivered: Object.fromEntries(Object.entries(known.undelivered).map(([app, { count }]) => [app, count])),
    },
    notify: {
      parked: known.notify.parked ?? 0,
      ...(known.notify.waiting !== undefined && { waiting: known.notify.waiting }),
      ...(known.notify.lastDeliveredAt !== undefined && { lastDeliveredAt: known.notify.lastDeliveredAt }),
    },
    conditions: conditionsOf(knowledge),
    apps: situations.map((situation) =>
      appStatus(situation, knowledge, progress.get(situation.view?.running?.runId ?? "")),
    ),
    runs: ledger.newest(runsMost).map(runStatus),
  };
  return { ...view, overall: overallOf(view) };
}

const rank = { problem: 0, warning: 1, info: 2 } as const;

function conditionsOf({ known }: Knowledge): Condition[] {
  const untold = new Set(known.queue.filter(({ posted }) => !posted).map(({ event }) => event.id));
  const isUntold = (id: string, since: string) => [...untold].some((event) => event.startsWith(`${id}@${since}.`));
  return Object.values(known.held)
    .map(({ id, app, severity, message, hint, since, toldMs }) => ({
      ...{ id, severity, message, since },
      ...(app !== undefined && { app }),
      ...(hint !== undefined && { hint }),
      told: toldMs !== undefined && !isUntold(id, since),
    }))
    .toSorted((a, b) => rank[a.severity] - rank[b.severity] || (a.since < b.since ? -1 : 1));
}

/** For whoever asks for neither the page nor JSON: curl, faas-cli. */
export function viewText(view: StatusView): string {
  const { overall, conditions, apps } = view;
  const wrong = conditions.flatMap(({ message, hint }) => [
    `! ${message}`,
    ...(hint === undefined ? [] : [`  ${hint}`]),
  ]);
  return `${[overall.sentence, ...wrong, ...apps.map(appLine)].join("\n")}\n`;
}
