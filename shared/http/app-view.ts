import { isMirror } from "../app.ts";
import type { AppConfig, Config } from "../config.ts";
import { withDeadline } from "../nas/deadline.ts";
import { freeSpace, openNas } from "../nas/nas.ts";
import { newestGood, sizeOf } from "../nas/points.ts";
import { selectExpired } from "../nas/retention.ts";
import { whatIsLeft } from "../run/abandoned.ts";
import type { Lane, RunDescription } from "../run/description.ts";
import { readDrillState } from "../run/drill-state.ts";
import { readLast } from "../run/last.ts";
import { countWaiting } from "../run/outbox.ts";
import { pausedUntil } from "../run/pause.ts";
import type { PlaceView } from "../run/place.ts";
import { pointsOf } from "../run/points-of.ts";
import type { AppView, PointView, StateView } from "../run/report.ts";
import type { Runs } from "../run/runs.ts";
import { readScrubState } from "../run/scrub-state.ts";
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
  { runs, place, nowMs }: { runs: Runs; place: PlaceView; nowMs: number },
): Promise<StateView> {
  const nas = openNas(config.nas);
  return withDeadline("state and restore points", config.nasTimeoutMs, async () => {
    await nas.check();
    const views: AppView[] = [];
    for (const app of apps) views.push(await appView(app, config, { runs, place, nowMs }));
    return { function: functionName, type, apps: views, nas: await freeSpace(nas.root) };
  });
}

async function appView(
  app: AppConfig,
  config: Config,
  { runs, place, nowMs }: { runs: Runs; place: PlaceView; nowMs: number },
): Promise<AppView> {
  const { name, type, keep, common } = app;
  const folders = openNas(config.nas).app(name);
  const points = await pointsOf(folders, type);
  const state = await readState(folders);
  const newest = newestGood(points);
  const [scrub, drill] = [await readScrubState(folders), await readDrillState(folders)];
  const [lastScrub, lastDrill] = [await readLast(folders, "scrub"), await readLast(folders, "drill")];
  const runningIn = async (lane: Exclude<Lane, "none">) => {
    const holder = await place.lockHolder(folders, lane);
    // A run that has just begun does not hold the lock yet.
    const run = holder && holder.state !== "gone" ? holder.run : await runs.active(name, lane);
    return run && runningOf(run);
  };
  const paused = await pausedUntil(folders, nowMs);
  const running = await runningIn("main");
  const left = running ? [] : await whatIsLeft(app, config, place);
  const checking = [await runningIn("scrub"), await runningIn("drill")].filter((run) => run !== undefined);
  return {
    app: name,
    type: type.type,
    title: type.title,
    points: points.toReversed().map((point): PointView => {
      const [scrubbedAt, proven] = [scrub.scrubbedAt(point), drill.proven(point)];
      const { damaged } = point.manifest ?? {};
      return {
        id: point.id,
        takenAt: new Date(point.takenAtMs).toISOString(),
        sizeBytes: sizeOf(point),
        files: point.files.map((file) => file.name),
        verified: point.good,
        pinned: point.pinned,
        latest: point === newest,
        ...(point.manifest && { facts: point.manifest.facts }),
        ...(scrubbedAt !== undefined && { scrubbedAt }),
        ...(proven && { proven }),
        ...(damaged && { damaged }),
      };
    }),
    ...(state.last && { lastOutcome: state.last }),
    ...(state.lastGood && { lastGood: state.lastGood }),
    ...(state.waiting !== undefined && { waiting: state.waiting }),
    ...(paused !== undefined && { pausedUntil: paused }),
    ...(running && { running }),
    ...(checking.length > 0 && { checking }),
    ...(lastScrub && { lastScrub }),
    ...(lastDrill && { lastDrill }),
    keep,
    expired: isMirror(type) ? 0 : selectExpired(points, { ...common, keep }).length,
    waitingOutcomes: await countWaiting(folders),
    ...(left.length > 0 && { left }),
  };
}

export const runningOf = ({ id, request, startedBy, startedAt }: RunDescription) => ({
  runId: id,
  operation: request.operation,
  startedBy,
  startedAt,
});
