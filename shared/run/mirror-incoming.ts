import { join } from "node:path";
import type { MirrorUnit } from "../mirror-app.ts";
import { namesIn } from "../nas/points.ts";
import { treeFingerprint } from "../source/tree-fingerprint.ts";
import type { MirrorRun } from "./app-run.ts";

/** Where a folder is copied before it is put in place. */
export const incomingFolder = ({ folders }: Pick<MirrorRun, "folders">, { path }: Pick<MirrorUnit, "path">) =>
  join(folders.incoming, encodeURIComponent(path));

/**
 * Removes what killed runs had copied of units that nobody wants any more: it takes room, and nobody else would.
 * @returns Bytes that were copied of those that are wanted: so much less room is needed.
 */
export async function copiedBefore(run: MirrorRun, wanted: readonly MirrorUnit[]): Promise<number> {
  const units = new Map(
    wanted.filter(({ kind }) => kind === "folder").map((unit) => [incomingFolder(run, unit), unit.sizeBytes]),
  );
  let copiedBytes = 0;
  for (const name of await namesIn(run.folders.incoming)) {
    const path = join(run.folders.incoming, name);
    const unitBytes = units.get(path);
    if (unitBytes === undefined) await run.ctx.disk.removeTree(path);
    else copiedBytes += Math.min(unitBytes, (await treeFingerprint(path, { signal: run.ctx.signal })).sizeBytes);
  }
  return copiedBytes;
}
