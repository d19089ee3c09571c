import { badOutcomes, type Outcome, type RunView } from "../run/report.ts";
import type { FoundRun, Runs } from "../run/runs.ts";

/** A child's id from its parent's: "<parent>.<app>". */
export const childId = (parent: string, app: string) => `${parent}.${app}`;

/** A run of these apps, or the parent of one run for each, as clients see it; undefined when there is none of this id. */
export async function findView(
  id: string,
  apps: readonly { name: string }[],
  runs: Runs,
): Promise<RunView | undefined> {
  const found = await runs.find(id);
  if (found) return apps.some(({ name }) => name === found.run.app) ? viewOf(found) : undefined;
  const children = await Promise.all(apps.map(({ name }) => runs.find(childId(id, name))));
  return parentView(
    id,
    children.filter((child) => child !== undefined),
  );
}

export function viewOf({ run, progress, outcome }: FoundRun): RunView {
  return {
    id: run.id,
    status: outcome?.outcome ?? "running",
    function: run.function,
    app: run.app,
    operation: run.request.operation,
    startedAt: run.startedAt,
    startedBy: run.startedBy,
    ...(progress && { progress }),
    ...(outcome && { outcome }),
  };
}

function parentView(id: string, children: readonly FoundRun[]): RunView | undefined {
  const [first] = children;
  if (!first) return undefined;
  const { function: name, startedAt, startedBy, request } = first.run;
  return {
    id,
    status: worstStatus(children.map(({ outcome }) => outcome)),
    function: name,
    operation: request.operation,
    startedAt,
    startedBy,
    runs: children.map(({ run, outcome }) => ({
      id: run.id,
      app: run.app,
      status: outcome?.outcome ?? "running",
      ...(outcome && { outcome }),
    })),
  };
}

const isBad = (status: string) => (badOutcomes as readonly string[]).includes(status);

/** Running while one runs; then the worst. Of good ones, whatever is not "unchanged". */
function worstStatus(outcomes: readonly (Outcome | undefined)[]): RunView["status"] {
  if (outcomes.some((outcome) => outcome === undefined)) return "running";
  const all = outcomes.map((outcome) => (outcome as Outcome).outcome);
  for (const bad of ["failed", "interrupted", "refused", "cancelled", "inconclusive"] as const)
    if (all.includes(bad)) return bad;
  return all.find((outcome) => outcome !== "unchanged") ?? all[0] ?? "running";
}

/** The failure that a bad run answers with; of a parent, the first of its worst. */
export function failureOf(view: RunView): NonNullable<Outcome["failure"]> | undefined {
  if (!isBad(view.status)) return undefined;
  const outcomes = view.outcome ? [view.outcome] : (view.runs ?? []).flatMap(({ outcome }) => outcome ?? []);
  return outcomes.find(({ outcome }) => outcome === view.status)?.failure;
}
