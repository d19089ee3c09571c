import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { isMirror } from "../app.ts";
import type { Config } from "../config.ts";
import { Disk } from "../disk.ts";
import { Failure, type FailureCode, failures, toFailure } from "../failures.ts";
import { parseJson } from "../json.ts";
import type { Logger } from "../log.ts";
import { withDeadline } from "../nas/deadline.ts";
import { openNas } from "../nas/nas.ts";
import { createStep } from "../step.ts";
import type { AppRun } from "./app-run.ts";
import { laneOf, type RunDescription } from "./description.ts";
import { mend } from "./mend.ts";
import { pausedUntil, waitsInPause } from "./pause.ts";
import type { Place } from "./place.ts";
import { contextOf, pointsOfApp } from "./run-context.ts";
import { readState } from "./state.ts";

/** Why preparing failed; in the folder that the containers of the pod share. */
const failedName = "failed.json";
const Failed = z.object({
  code: z.enum(Object.keys(failures) as [FailureCode, ...FailureCode[]]),
  message: z.string(),
  hint: z.string().optional(),
});

/** For these the runner finds its own words. */
const foundOutAnyway: ReadonlySet<FailureCode> = new Set(["app_busy", "nas_unreachable", "nas_not_marked"]);

/**
 * What comes before a container of another image in the pod of a run: takes the lock, which the whole pod has from then
 * on, puts right what killed runs have left, and lets the app lay out what the other container needs. Tells nobody how
 * it ended: the runner, which comes last, does.
 */
export async function prepareRun(
  run: RunDescription,
  { config, place, log, signal }: { config: Config; place: Place; log: Logger; signal: AbortSignal },
): Promise<void> {
  const app = config.apps.find(({ name }) => name === run.app);
  const { companion } = place;
  if (!app || companion === undefined || laneOf(run.request.operation) !== "main") return;
  try {
    const nas = openNas(config.nas);
    await withDeadline("the marker", config.nasTimeoutMs, () => nas.check());
    const folders = nas.app(run.app);
    if (waitsInPause(run) && (await pausedUntil(folders, Date.now())) !== undefined) return;
    const guards: { fence?: () => Promise<void> } = {};
    const step = createStep({ fence: async () => guards.fence?.() });
    const { nasFileMode: fileMode, nasDirMode: dirMode, nasOwner: owner } = config;
    const disk = new Disk(step, { fileMode, dirMode, mount: nas, ...(owner && { owner }) });
    const ownDisk = new Disk(createStep(), { fileMode: 0o600, dirMode: 0o700 });
    const lock = await place.takeLock(folders, "main", run, disk);
    guards.fence = lock.fence;
    const warn = (message: string) => log.warn({ run: run.id }, message);
    const ctx = contextOf(run, app, {
      disk,
      step,
      log,
      signal,
      now: Date.now,
      tell: (line) => log.info({ line }, "preparing"),
      warn,
      canStop: place.canStop(app),
      companion,
      scratch: () => Promise.reject(new Error("nothing is to be put into scratch space before the runner begins")),
      pointsOf: (name) => pointsOfApp(config, nas, name),
    });
    const workload = place.workload(app, { ownDisk, step, warn });
    const { abandoned } = lock;
    const state = await readState(folders);
    const appRun: AppRun = {
      ...{ ctx, place, type: app.type, config: app, folders, workload, state },
      ...(abandoned && { abandoned }),
    };
    await mend(appRun);
    if (isMirror(app.type)) await (await app.type.loadBackup()).prepare?.(ctx);
  } catch (error) {
    const { code, message, hint } = toFailure(error);
    log.error({ err: error, run: run.id }, "a run could not be prepared");
    if (foundOutAnyway.has(code)) return;
    await writeFile(join(companion, failedName), JSON.stringify({ code, message, hint }));
  }
}

/** @throws {Failure} When preparing has failed: that is how the run ends. */
export async function refuseUnprepared(companion: string): Promise<void> {
  const text = await readFile(join(companion, failedName), "utf8").catch(() => "");
  const failed = Failed.safeParse(parseJson(text)).data;
  if (failed) throw new Failure(failed.code, failed.message, failed.hint === undefined ? {} : { hint: failed.hint });
}
