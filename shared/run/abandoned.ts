import type { AppConfig, Config } from "../config.ts";
import { openNas } from "../nas/nas.ts";
import { namesIn } from "../nas/points.ts";
import { localOutbox } from "./outbox.ts";
import type { PlaceView } from "./place.ts";

/**
 * Apps for which a killed run, or one that had no NAS, has left something. Any run puts it right; `flush` does nothing
 * else. Read only.
 */
export async function findAbandoned(config: Config, place: PlaceView): Promise<string[]> {
  await openNas(config.nas).check();
  const found: string[] = [];
  for (const app of config.apps) if ((await whatIsLeft(app, config, place)).length > 0) found.push(app.name);
  return found;
}

/**
 * What was left of an app by runs of this place, for people: a lock, a stopped server, an outcome that is not on
 * record. Nothing while a run is at work. Read only.
 */
export async function whatIsLeft(app: AppConfig, config: Config, place: PlaceView): Promise<string[]> {
  const holder = await place.lockHolder(openNas(config.nas).app(app.name), "main");
  if (holder && holder.state !== "gone") return [];
  const left: string[] = [];
  if (holder) left.push(`run ${holder.run.id} was killed before its end`);
  if (await place.isStopped(app)) left.push("it was stopped for a run, and not brought back");
  const lost = await place.lost(app.name);
  for (const { run } of lost) if (run.id !== holder?.run.id) left.push(`how run ${run.id} ended is not on record`);
  const waiting = (await namesIn(localOutbox(config.state, app.name).outbox)).length;
  if (waiting > 0) left.push(`outcomes of ${waiting} ${waiting === 1 ? "run" : "runs"} are not on the NAS yet`);
  return left;
}
