import { join } from "node:path";
import { isMirror, type RunContext } from "../app.ts";
import { type Disk, isTemporary } from "../disk.ts";
import { toFailure } from "../failures.ts";
import type { AppFolders } from "../nas/nas.ts";
import { namesIn } from "../nas/points.ts";
import { clearStaging, removeOrphanManifests } from "../nas/publish.ts";
import type { AppRun } from "./app-run.ts";
import { locksOf } from "./lock.ts";
import { pointsOf } from "./points-of.ts";

/**
 * Puts right what killed runs have left, before anything else is done: half a restore, a stopped app, staging,
 * temporary files, a manifest whose files never came. Nothing to put right is the normal case, and changes nothing.
 * @returns What was put right, for people.
 */
export async function mend(run: AppRun): Promise<string[]> {
  const { ctx, type, folders, workload, config, abandoned } = run;
  const mended: string[] = [];
  const restore = await type.loadRestore();
  const target = restore.target(ctx);
  const stoppedBy = await workload.stoppedBy();
  const recovered = await target.recover(async () => {
    if (stoppedBy !== undefined) await workload.stop(stoppedBy, ctx.signal);
  });
  const by = recovered.runId === undefined ? "a run" : `run ${recovered.runId}`;
  if (recovered.action === "rolled_back") mended.push(`the data that ${by} was replacing was put back`);
  if (recovered.action === "rolled_forward") mended.push(`the restore of ${by} was complete and was closed`);
  if (recovered.action === "cleaned") mended.push(`what ${by} had prepared beside the data was removed`);
  // Only now: an app never comes up over half-restored data.
  const isBack = stoppedBy === undefined || (await bringBack(run, restore.needsStop));
  if (stoppedBy !== undefined && isBack) {
    mended.push(`${ctx.app.name} was brought back after run ${stoppedBy} had stopped it`);
  }
  if (isBack) await workload.release();
  if ((await clearStaging(folders, ctx.disk)) > 0) mended.push("unfinished files were removed from staging");
  const { hidden, points, outbox, runs, locks, damaged } = folders;
  await removeTemporaries([hidden, points, outbox, runs, locks, damaged], ctx.disk);
  // A mirror's manifest is written when all of it is in place.
  if (abandoned && !isMirror(type)) {
    await removeOrphanManifests(folders, await pointsOf(folders, type), abandoned.id, ctx.disk);
  }
  await removeOldAsides(ctx, target, config.common.keepReplacedDays);
  return mended;
}

/**
 * Starts the app that an earlier run has stopped. One that does not come up may be in need of other data: then a run
 * that brings such data goes on, and starts it over that.
 * @returns Whether it is back.
 */
async function bringBack({ ctx, workload }: AppRun, restoreStartsIt: boolean): Promise<boolean> {
  try {
    await workload.start();
    return true;
  } catch (error) {
    const { operation } = ctx.run.request;
    const bringsData = restoreStartsIt && (operation === "restore" || operation === "undo");
    const failure = toFailure(error);
    if (!bringsData || failure.code !== "workload_failed") throw error;
    ctx.warn(`${ctx.app.name} did not come back with the data that it has: ${failure.message}`);
    return false;
  }
}

/** Set-aside data goes after its days; data of a moment that lies ahead (the clock jumped back) stays. */
async function removeOldAsides(
  ctx: RunContext,
  target: ReturnType<Awaited<ReturnType<AppRun["type"]["loadRestore"]>>["target"]>,
  keepDays: number,
) {
  // A server that is away cannot be asked; the next run asks again.
  const asides = await target.asides().catch(() => []);
  for (const aside of asides) {
    if (ctx.now() - aside.setAsideAtMs > keepDays * 86_400_000) await target.removeAside(aside);
  }
}

/** Puts right what a killed scrub or drill has left on the NAS: they write nothing else that could be half done. */
export const mendChecks = (lane: "scrub" | "drill", folders: AppFolders, disk: Disk): Promise<void> =>
  removeTemporaries([folders[lane], locksOf(folders, lane)], disk);

/**
 * Temporary files of `Disk.replace` and `createExclusive`; nobody else writes in these folders while the lock is held.
 * Somebody may be trying for the lock: `takeLock` bears that its temporary file goes.
 */
async function removeTemporaries(places: readonly string[], disk: Disk): Promise<void> {
  for (const folder of places) {
    for (const name of await namesIn(folder)) {
      if (isTemporary(name)) await disk.remove(join(folder, name));
    }
  }
}
