import { join } from "node:path";
import { Failure } from "../failures.ts";
import { listPoints, namesIn, sizeOf } from "../nas/points.ts";
import { writeSums } from "../nas/publish.ts";
import { type AppRun, isMirrorRun, type PointsRun, type Result } from "./app-run.ts";
import { resolveAt } from "./at.ts";

/** Moves a restore point to backups/pinned/, where it neither counts nor expires, or back to history/. */
export async function runPin(
  run: AppRun,
  request: { operation: "pin" | "unpin"; at: string; timeZone?: string | undefined },
): Promise<Result> {
  const { ctx, folders } = run;
  const pin = request.operation === "pin";
  if (isMirrorRun(run)) {
    throw new Failure(
      "invalid_request",
      `Cannot ${request.operation} a backup of ${ctx.app.title}: only the latest is kept`,
    );
  }
  const { type } = run as PointsRun;
  const points = await listPoints(folders, type.artefacts);
  const point = resolveAt(request.at, points, request.timeZone ?? "UTC", ctx.now());
  const to = pin ? folders.pinned : folders.history;
  await ctx.disk.makeDir(to);
  // A file that it shares with a point that stays pinned lies with that one.
  const shared = new Set(
    points.filter((other) => other !== point && other.pinned).flatMap(({ files }) => files.map(({ name }) => name)),
  );
  for (const { name, path, pinned } of point.files) {
    if (pinned === pin || (!pin && shared.has(name))) continue;
    // One rename, not a link and a removal: a run that is killed between those leaves the file in both folders.
    if (!(await namesIn(to)).includes(name)) {
      await ctx.disk.rename(path, join(to, name));
      continue;
    }
    throw new Failure(
      "target_exists",
      `Cannot ${request.operation} ${point.id}: "${join(to, name)}" is there already`,
      {
        hint: "Somebody put it there by hand. Move one of the two elsewhere.",
      },
    );
  }
  const left = await listPoints(folders, type.artefacts);
  await writeSums(folders, left, type.artefacts, ctx.disk);
  return {
    outcome: pin ? "pinned" : "unpinned",
    message: `${ctx.app.title}: ${point.id} ${pin ? "is kept until it is unpinned" : "counts and expires again"} (${sizeOf(point)} bytes)`,
    point: { id: point.id, takenAt: new Date(point.takenAtMs).toISOString(), files: point.manifest?.files ?? [] },
    state: run.state,
  };
}
