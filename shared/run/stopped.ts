import { Failure, toFailure } from "../failures.ts";
import type { AppRun, Result } from "./app-run.ts";

/**
 * Does `work` while the app is stopped, brings it back as it was, however `work` ends, and then does `afterwards`, also
 * when the app does not come back: what was copied by then may be the last good copy. A run that is killed in between,
 * and an app that does not come back, leave a mark, by which the next run tries again.
 * @throws {Failure} What `work` and `afterwards` throw; `workload_failed` when the app does not stop, or does not come
 * back, with what came of the rest.
 */
export async function whileStopped<T>(
  run: AppRun,
  work: () => Promise<T>,
  afterwards: (value: T) => Promise<Result>,
): Promise<Result> {
  const { ctx, workload } = run;
  let value: T;
  ctx.progress("stopping the app");
  try {
    await workload.stop(ctx.run.id, ctx.signal);
    value = await work();
  } catch (error) {
    const down = await comeBack(run);
    throw down ? withWhy(down, `Before that: ${toFailure(error).message}`) : error;
  }
  const down = await comeBack(run);
  let result: Result;
  try {
    result = await afterwards(value);
  } catch (error) {
    throw down ? withWhy(down, `After that: ${toFailure(error).message}`) : error;
  }
  if (down) throw withWhy(down, `What was copied is safe: ${result.message}`);
  return result;
}

/** @returns Why the app did not come back. */
async function comeBack({ ctx, workload }: AppRun): Promise<Failure | undefined> {
  ctx.progress("starting the app");
  try {
    await workload.start();
    await workload.release();
    return undefined;
  } catch (error) {
    const failure = toFailure(error);
    if (failure.code === "workload_failed") return failure;
    throw error;
  }
}

const withWhy = (down: Failure, more: string) =>
  new Failure(down.code, `${down.message}. ${more}`, {
    cause: down,
    ...(down.hint !== undefined && { hint: down.hint }),
  });
