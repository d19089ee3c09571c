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
  await withDeadline("the marker", config.nasTimeoutMs, () => nas.check());
  // Whoever is asked for this has a deadline of its own: a cluster that is away is no NAS that is away.
  const works = new Map<string, Work>();
  for (const app of apps) works.set(app.name, await workOn(app, config, { runs, place }));
  return withDeadline("state and restore points", config.nasTimeoutMs, async () => {
    const views: AppView[] = [];
    for (const app of apps) views.push(await appView(app, config, { ...works.get(app.name), nowMs }));
    return { function: functionName, type, apps: views, nas: await freeSpace(nas.root) };
  });
}

type Work = Pick<AppView, "running" | "checking" | "left">;

/** What is at work on an app, and what runs that are over have left. */
async function workOn(
  app: AppConfig,
  config: Config,
  { runs, place }: { runs: Runs; place: PlaceView },
): Promise<Work> {
  const folders = openNas(config.nas).app(app.name);
  const runningIn = async (lane: Exclude<Lane, "none">) => {
    const holder = await place.lockHolder(folders, lane);
    // A run that has just begun does not hold the lock yet.
    const run = holder && holder.state !== "gone" ? holder.run : await runs.active(app.name, lane);
    return run && runningOf(run);
  };
  const running = await runningIn("main");
  const left = running ? [] : await whatIsLeft(app, config, place);
  const checking = [await runningIn("scrub"), await runningIn("drill")].filter((run) => run !== undefined);
  return {
    ...(running && { running }),
    ...(checking.length > 0 && { checking }),
    ...(left.length > 0 && { left }),
  };
}

async function appView(app: AppConfig, config: Config, { nowMs, ...work }: Work & { nowMs: number }): Promise<AppView> {
  const { name, type, keep, common } = app;
  const folders = openNas(config.nas).app(name);
  const points = await pointsOf(folders, type);
  const state = await readState(folders);
  const newest = newestGood(points);
  const [scrub, drill] = [await readScrubState(folders), await readDrillState(folders)];
  const [lastScrub, lastDrill] = [await readLast(folders, "scrub"), await readLast(folders, "drill")];
  const paused = await pausedUntil(folders, nowMs);
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
    ...work,
    ...(lastScrub && { lastScrub }),
    ...(lastDrill && { lastDrill }),
    keep,
    expired: isMirror(type) ? 0 : selectExpired(points, { ...common, keep }).length,
    waitingOutcomes: await countWaiting(folders),
  };
}

export const runningOf = ({ id, request, startedBy, startedAt }: RunDescription) => ({
  runId: id,
  operation: request.operation,
  startedBy,
  startedAt,
});
