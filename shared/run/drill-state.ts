import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import type { Disk } from "../disk.ts";
import type { AppFolders } from "../nas/nas.ts";
import type { RestorePoint } from "../nas/points.ts";
import { readSmallJson } from "./last.ts";

/** What drills remember, `.keepsake/<app>/drill/state.json`. When it is lost, they begin anew. */
export const DrillMemory = z.object({
  version: z.literal(1),
  /** How many came to their end: the newest point and older ones take turns. */
  drills: z.number().default(0),
  /** By id: how the last drill of each point ended. */
  points: z.record(
    z.string(),
    z.object({
      /** Of its files: a point of the same id with other files is another one. */
      stamp: z.string(),
      at: z.string(),
      proven: z.boolean(),
      tookMs: z.number().optional(),
    }),
  ),
});
export type DrillMemory = z.infer<typeof DrillMemory>;

const statePath = (folders: AppFolders) => join(folders.drill, "state.json");

export async function readDrillMemory(folders: AppFolders): Promise<DrillMemory> {
  const parsed = DrillMemory.safeParse(await readSmallJson(statePath(folders)));
  return parsed.data ?? { version: 1, drills: 0, points: {} };
}

export const writeDrillMemory = (folders: AppFolders, memory: DrillMemory, disk: Disk): Promise<void> =>
  disk.replace(statePath(folders), JSON.stringify(memory), { durable: false });

/** What drills know of restore points. */
export async function readDrillState(
  folders: AppFolders,
): Promise<{ proven(point: RestorePoint): { at: string; tookMs: number } | undefined }> {
  const { points } = await readDrillMemory(folders);
  return {
    proven(point) {
      const known = points[point.id];
      if (!known?.proven || known.tookMs === undefined || known.stamp !== stampOf(point)) return undefined;
      return { at: known.at, tookMs: known.tookMs };
    },
  };
}

/** What a point consists of, in short: by its manifest's checksums, else by the sizes of its files. */
export function stampOf({ manifest, files }: RestorePoint): string {
  const parts = manifest
    ? manifest.files.map(({ name, sha256 }) => [name, sha256])
    : files.map(({ name, sizeBytes }) => [name, sizeBytes]);
  return createHash("sha256").update(JSON.stringify(parts.sort())).digest("hex").slice(0, 32);
}
