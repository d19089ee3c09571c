import type { AppConfig, Config } from "../config.ts";
import { withDeadline } from "../nas/deadline.ts";
import { type Nas, openNas } from "../nas/nas.ts";
import { newestGood, sizeOf } from "../nas/points.ts";
import { type RunDescription, readOnlyOperations } from "../run/description.ts";
import { lockHolder } from "../run/lock.ts";
import { pointsOf } from "../run/points-of.ts";
import type { AppView, StateView } from "../run/report.ts";
import type { Runs } from "../run/runs.ts";
import { readState } from "../run/state.ts";

/**
 * What the NAS tells of the apps, read against a deadline.
 * @throws {Failure} `nas_unreachable`, `nas_not_marked`.
 */
export async function stateView(
  functionName: string,
  type: string,
  apps: readonly AppConfig[],
  config: Config,
  runs: Runs,
): Promise<StateView> {
  const nas = openNas(config.nas);
  return withDeadline("state and restore points", config.nasTimeoutMs, async () => {
    await nas.check();
    const views: AppView[] = [];
    for (const app of apps) views.push(await appView(app, nas, runs));
    return { function: functionName, type, apps: views };
  });
}

async function appView({ name, type, keep }: AppConfig, nas: Nas, runs: Runs): Promise<AppView> {
  const folders = nas.app(name);
  const points = await pointsOf(folders, type);
  const state = await readState(folders);
  const holder = await lockHolder(folders.locks);
  const newest = newestGood(points);
  // A run that has just begun does not hold the lock yet.
  const running = holder && holder.state !== "gone" ? holder.run : await runs.active(name);
  return {
    app: name,
    type: type.type,
    title: type.title,
    points: points.toReversed().map((point) => ({
      id: point.id,
      takenAt: new Date(point.takenAtMs).toISOString(),
      sizeBytes: sizeOf(point),
      files: point.files.map((file) => file.name),
      verified: point.good,
      pinned: point.pinned,
      latest: point === newest,
      ...(point.manifest && { facts: point.manifest.facts }),
    })),
    ...(state.last && { lastOutcome: state.last }),
    ...(state.lastGood && { lastGood: state.lastGood }),
    ...(state.waiting !== undefined && { waiting: state.waiting }),
    ...(running && !readOnlyOperations.has(running.request.operation) && { running: runningOf(running) }),
    keep,
  };
}

export const runningOf = ({ id, request, startedBy, startedAt }: RunDescription) => ({
  runId: id,
  operation: request.operation,
  startedBy,
  startedAt,
});
