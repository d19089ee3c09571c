import type { Source } from "../app.ts";
import { type AppRun, isMirrorRun, type PointsRun, type Result } from "./app-run.ts";
import { publishedMirror } from "./mirror.ts";

/** Takes the source as it is now for the right one: its identity and its size are what the next backup compares with. */
export async function runAccept(run: AppRun): Promise<Result> {
  const { ctx, state } = run;
  const { identity, sizeBytes } = await examine(run);
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

async function examine(run: AppRun): Promise<Source> {
  if (isMirrorRun(run)) return (await run.type.loadBackup()).examine(run.ctx, await publishedMirror(run));
  return (await (run as PointsRun).type.loadBackup()).examine(run.ctx);
}
