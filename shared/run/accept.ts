import type { AppRun, Result } from "./app-run.ts";

/** Takes the source as it is now for the right one: its identity and its size are what the next backup compares with. */
export async function runAccept(run: AppRun): Promise<Result> {
  const { ctx, type, state } = run;
  const app = await type.loadBackup();
  const { identity, sizeBytes } = await app.examine(ctx);
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
