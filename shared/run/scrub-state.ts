import { join } from "node:path";
import { z } from "zod";
import type { Disk } from "../disk.ts";
import type { AppFolders } from "../nas/nas.ts";
import type { RestorePoint } from "../nas/points.ts";
import { readSmallJson } from "./last.ts";

const Entry = z.object({
  /** What it has to be. Of a file that no manifest knows: what it was when it was first read. */
  sha256: z.string().optional(),
  /** When it was first seen, in ms since the epoch: it has to be read back within the days of the settings. */
  seenAtMs: z.number(),
  /** When it was last read to its end, whatever was found. */
  readAtMs: z.number().optional(),
  ok: z.boolean().optional(),
  /** Size and mtime of a file that no manifest knows. */
  look: z.string().optional(),
  /** Of a folder that was read in part: the last of its files that were, in the order of its list. */
  upTo: z.string().optional(),
  /** It was told that it is missing; nobody is told again. */
  missing: z.boolean().optional(),
});
export type ScrubEntry = z.infer<typeof Entry>;

/** What scrubs remember, `.keepsake/<app>/scrub/state.json`. When it is lost, they begin anew. */
export const ScrubMemory = z.object({
  version: z.literal(1),
  lastRunAtMs: z.number().optional(),
  /** Bytes that may be read before it is another file's turn; negative after one that is bigger than a share. */
  creditBytes: z.number().default(0),
  /** By path below the app's folder on the NAS. */
  files: z.record(z.string(), Entry),
});
export type ScrubMemory = z.infer<typeof ScrubMemory>;

const statePath = (folders: AppFolders) => join(folders.scrub, "state.json");

export async function readScrubMemory(folders: AppFolders): Promise<ScrubMemory> {
  const parsed = ScrubMemory.safeParse(await readSmallJson(statePath(folders)));
  return parsed.data ?? { version: 1, creditBytes: 0, files: {} };
}

export const writeScrubMemory = (folders: AppFolders, memory: ScrubMemory, disk: Disk): Promise<void> =>
  disk.replace(statePath(folders), JSON.stringify(memory), { durable: false });

/** What scrubs know of restore points. */
export async function readScrubState(
  folders: AppFolders,
): Promise<{ scrubbedAt(point: RestorePoint): string | undefined }> {
  const { files } = await readScrubMemory(folders);
  return {
    scrubbedAt({ manifest, files: there }) {
      const moments = (manifest?.files ?? []).map(({ name, sha256 }) => {
        const file = there.find((candidate) => candidate.name === name);
        const path = there[0]?.kind === "mirror" ? mirrorPath(name) : historyPath(name, file?.pinned ?? false);
        const entry = files[path];
        return entry?.ok && entry.sha256 === sha256 ? entry.readAtMs : undefined;
      });
      if (moments.length === 0 || moments.includes(undefined)) return undefined;
      return new Date(Math.min(...(moments as number[]))).toISOString();
    },
  };
}

/** How files are called here. */
export const mirrorPath = (name: string): string => `mirror/${name}`;
export const historyPath = (name: string, pinned: boolean): string => `${pinned ? "pinned" : "history"}/${name}`;
