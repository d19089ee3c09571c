import type { Source } from "../app.ts";
import type { MirrorSource } from "../mirror-app.ts";
import { type AppRun, isMirrorRun, type PointsRun, type Result } from "./app-run.ts";
import { publishedMirror } from "./mirror.ts";

/** Takes the source as it is now for the right one: its identity and its size are what the next backup compares with. */
export async function runAccept(run: AppRun): Promise<Result> {
  const { ctx, state } = run;
  const source = await examine(run);
  if (typeof source === "string") {
    return { outcome: "postponed", message: `${ctx.app.title}: nothing was accepted: ${source}`, state };
  }
  const { identity, sizeBytes } = source;
  const { waiting: _, gate: __, ...before } = state;
  return {
    outcome: "accepted",
    message: `${ctx.app.title}: accepted ${identity?.label ?? "the data as it is"}; backups go on with it`,
    state: {
      ...before,
      baseline: { ...(identity && { identity }), ...(sizeBytes !== undefined && { sourceBytes: sizeBytes }) },
    },
  };
}

/** @returns The data, or why this is not the time to look at it. */
async function examine(run: AppRun): Promise<Source | string> {
  if (!isMirrorRun(run)) return (await (run as PointsRun).type.loadBackup()).examine(run.ctx);
  const source: MirrorSource = await (await run.type.loadBackup()).examine(run.ctx, await publishedMirror(run));
  return source.postponed ?? source;
}
