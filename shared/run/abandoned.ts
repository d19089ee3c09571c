import { access } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config.ts";
import { type AppFolders, openNas } from "../nas/nas.ts";
import { namesIn } from "../nas/points.ts";
import { lostRuns } from "./local-runs.ts";
import { lockHolder } from "./lock.ts";
import { localOutbox } from "./outbox.ts";

/**
 * Apps for which a killed run, or one that had no NAS, has left something. Any run puts it right; `flush` does nothing
 * else. Read only.
 */
export async function findAbandoned(config: Config): Promise<string[]> {
  const nas = openNas(config.nas);
  await nas.check();
  const found: string[] = [];
  for (const { name } of config.apps) {
    if ((await whatIsLeft(config, nas.app(name))).length > 0) found.push(name);
  }
  return found;
}

/**
 * What was left of an app on this machine or on the NAS, for people: a lock, a stopped server, an outcome that is not on
 * record. Nothing while a run is at work. Read only.
 */
export async function whatIsLeft(config: Config, folders: AppFolders): Promise<string[]> {
  const { app } = folders;
  const holder = await lockHolder(folders.locks);
  if (holder && holder.state !== "gone") return [];
  const left: string[] = [];
  if (holder) left.push(`run ${holder.run.id} was killed before its end`);
  if (await exists(stoppedMark(config, app))) left.push("it was stopped for a run, and not brought back");
  const lost = await lostRuns(runsFolder(config), app);
  for (const { id } of lost) if (id !== holder?.run.id) left.push(`how run ${id} ended is not on record`);
  const waiting = (await namesIn(localOutbox(config.state, app).outbox)).length;
  if (waiting > 0) left.push(`outcomes of ${waiting} ${waiting === 1 ? "run" : "runs"} are not on the NAS yet`);
  return left;
}

/** Where runs of this machine have their folders. */
export const runsFolder = (config: Config) => join(config.state, "runs");

/** Where this machine remembers that it stopped an app. */
export const stoppedMark = (config: Config, app: string) => join(config.state, "workloads", app, "stopped.json");

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
