import { z } from "zod";
import type { Disk } from "../disk.ts";
import { Failure } from "../failures.ts";
import { readFile } from "../files.ts";
import { parseJson } from "../json.ts";
import type { AppFolders } from "../nas/nas.ts";
import { Outcome } from "./report.ts";

/**
 * What the next run of an app needs to know and cannot read off the restore points, `.keepsake/<app>/state.json`.
 * All of it can be lost: then the next run reads everything again, and takes the newest point as what to compare with.
 */
export const AppState = z.object({
  version: z.literal(1).default(1),
  /** What the next source is compared with. Set by a backup, a restore, and accept. */
  baseline: z
    .object({
      identity: z.object({ id: z.string(), label: z.string() }).optional(),
      sourceBytes: z.number().optional(),
    })
    .optional(),
  /** When these are still so, nothing has to be read to know that nothing changed. */
  gate: z
    .object({
      pointId: z.string(),
      /** Of the source. */
      source: z.string().optional(),
      /** Of the source, by artefact, where they are gated apart. */
      sources: z.record(z.string(), z.string()).optional(),
      /** Of the published files, by path below backups/. */
      published: z.record(z.string(), z.string()),
    })
    .optional(),
  /** Why scheduled backups wait. */
  waiting: z.string().optional(),
  /** The restore after which no backup was made yet. */
  restored: z.object({ runId: z.string(), pointId: z.string() }).optional(),
  last: Outcome.optional(),
  lastGood: z.object({ at: z.string(), outcome: z.string() }).optional(),
});
export type AppState = z.infer<typeof AppState>;

/** A state that is missing or damaged reads as an empty one. */
export async function readState(folders: AppFolders): Promise<AppState> {
  const text = await readFile(folders.state, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return "";
    throw new Failure("nas_unreachable", `Cannot read "${folders.state}": ${cause.message}`, { cause });
  });
  const parsed = AppState.safeParse(parseJson(text));
  return parsed.success ? parsed.data : { version: 1 };
}

export async function writeState(folders: AppFolders, state: AppState, disk: Disk): Promise<void> {
  await disk.makeDir(folders.hidden);
  // The state before this one is as good, only slower.
  await disk.replace(folders.state, `${JSON.stringify(state, null, 2)}\n`, { durable: false });
}
