import type { AppRun } from "./app-run.ts";

/**
 * Does `work` while the app is stopped, and brings it back as it was, however `work` ends. A run that is killed in
 * between has left a mark, by which the next one brings it back.
 * @throws {Failure} What `work` throws; `workload_failed` when the app does not stop, or does not come back.
 */
export async function whileStopped<T>({ ctx, workload }: AppRun, work: () => Promise<T>): Promise<T> {
  ctx.progress("stopping the app");
  try {
    await workload.stop(ctx.run.id);
    return await work();
  } finally {
    ctx.progress("starting the app");
    await workload.start();
    await workload.release();
  }
}
