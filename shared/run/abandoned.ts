import { access } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config.ts";
import { openNas } from "../nas/nas.ts";
import { namesIn } from "../nas/points.ts";
import { lostRuns } from "./local-runs.ts";
import { lockHolder } from "./lock.ts";
import { localOutbox } from "./outbox.ts";

/**
 * Apps for which a killed run has left something on this machine or on the NAS: a lock, a stopped server, an outcome
 * that is not on record or not told. Any run puts it right; `flush` does nothing else. Read only.
 */
export async function findAbandoned(config: Config): Promise<string[]> {
  const nas = openNas(config.nas);
  await nas.check();
  const found: string[] = [];
  for (const { name } of config.apps) {
    const folders = nas.app(name);
    const holder = await lockHolder(folders.locks);
    if (holder && holder.state !== "gone") continue;
    const left =
      holder !== undefined ||
      (await exists(stoppedMark(config, name))) ||
      (await lostRuns(runsFolder(config), name)).length > 0 ||
      (await namesIn(localOutbox(config.state, name).outbox)).length > 0 ||
      (await namesIn(folders.outbox)).some((file) => file.endsWith(".json"));
    if (left) found.push(name);
  }
  return found;
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
