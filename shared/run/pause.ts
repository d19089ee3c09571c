import { join } from "node:path";
import { z } from "zod";
import type { AppFolders } from "../nas/nas.ts";
import { formatLocal } from "../words.ts";
import type { AppRun, Result } from "./app-run.ts";
import type { Operation, RunDescription, RunRequest } from "./description.ts";
import { readSmallJson } from "./last.ts";

/** `.keepsake/<app>/pause.json`. It ends by itself; one that is damaged is none, for nothing may stop backups unseen. */
const Pause = z.object({ version: z.literal(1), until: z.iso.datetime(), by: z.string(), at: z.string() });
type Pause = z.infer<typeof Pause>;

const pausePath = (folders: AppFolders) => join(folders.hidden, "pause.json");

/**
 * @returns When the pause ends, RFC 3339; undefined when there is none, or it is over.
 * @throws {Failure} `nas_unreachable`.
 */
export async function pausedUntil(folders: AppFolders, nowMs: number): Promise<string | undefined> {
  const { data } = Pause.safeParse(await readSmallJson(pausePath(folders)));
  return data && Date.parse(data.until) > nowMs ? data.until : undefined;
}

/** What schedules and events start; whoever has the token knows of the pause. */
const waiting: ReadonlySet<Operation> = new Set(["backup", "scrub", "drill", "cleanup"]);

export const waitsInPause = ({ request, authorised }: RunDescription): boolean =>
  waiting.has(request.operation) && authorised === undefined;

/** Holds the app's lock, so nothing of it runs any more once this has ended; scrubs and drills only read, and go on. */
export async function runPause(
  run: AppRun,
  request: Extract<RunRequest, { operation: "pause" }>,
  timeZone: string,
): Promise<Result> {
  const { ctx, folders, state } = run;
  const until = new Date(ctx.now() + request.forSeconds * 1000).toISOString();
  const pause: Pause = { version: 1, until, by: ctx.run.startedBy, at: new Date(ctx.now()).toISOString() };
  await ctx.disk.makeDir(folders.hidden);
  await ctx.disk.replace(pausePath(folders), `${JSON.stringify(pause, null, 2)}\n`);
  return {
    outcome: "paused",
    message: `${ctx.app.title}: nothing runs by itself until ${formatLocal(Date.parse(until), timeZone)}`,
    state,
  };
}

export async function runResume({ ctx, folders, state }: AppRun, timeZone: string): Promise<Result> {
  const until = await pausedUntil(folders, ctx.now());
  await ctx.disk.remove(pausePath(folders));
  const end = until && formatLocal(Date.parse(until), timeZone);
  const message = end === undefined ? "it was not paused" : `goes on, ahead of the pause's end at ${end}`;
  return { outcome: "resumed", message: `${ctx.app.title}: ${message}`, state };
}
