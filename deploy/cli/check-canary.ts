import { setTimeout as delay } from "node:timers/promises";
import { type App, type Discovered, discover, type TypeFunctions } from "./apps.ts";
import type { Check } from "./checks.ts";
import { type Client, ProblemError } from "./client.ts";
import { type CliError, endsAll } from "./exit.ts";
import { followRun } from "./follow.ts";
import { endedWell } from "./outcome.ts";

/** How long may pass until what a run has put on the NAS is seen by a function, which keeps what it has read for a minute. */
const seenMs = 90_000;
/** How long a run that does nothing may take; an image may have to come over a slow line. */
const limitMs = 300_000;

/**
 * A run of each app that has nothing to do (`flush`): through the gateway and its function to a Job of the app's CronJob,
 * its image, user, volumes and lock, the export, and an outcome on the NAS that the function sees. The app and its
 * backups stay as they are: where an earlier run has left something to put right, none is made.
 * @param names Of the apps that are configured.
 * @throws {CliError} `unreachable`.
 */
export async function* checkCanaries(
  client: Client,
  types: readonly TypeFunctions[],
  names: readonly string[],
): AsyncGenerator<Check> {
  const found = await discover(client, types);
  yield* await Promise.all(names.map((name) => checkCanary(client, found, name)));
}

async function checkCanary(client: Client, { apps, failed }: Discovered, name: string): Promise<Check> {
  const what = `${name}: canary run`;
  const app = apps.find(({ view }) => view.app === name);
  if (!app) {
    const found = failed.length > 0 ? "not made: a function does not answer" : "not made: no function knows the app";
    const remedy = "Functions read their settings when they start. To have them start anew: make deploy CONFIG=…";
    return { what, ok: false, found, remedy };
  }
  const [left] = app.view.left ?? [];
  if (left !== undefined) {
    const remedy = `Any run puts it right: make backup-${name}. Then once more: make deploy CONFIG=…`;
    return { what, ok: false, found: `not made, since there is something to put right: ${left}`, remedy };
  }
  try {
    return { what, ...(await makeRun(client, app)) };
  } catch (error) {
    if (endsAll(error)) throw error;
    const { message: found, hint } = error as CliError;
    const running = error instanceof ProblemError && error.problem.running;
    const remedy = running ? `Once it has ended: make deploy CONFIG=…` : hint;
    return { what, ok: false, found, ...(remedy !== undefined && { remedy }) };
  }
}

async function makeRun(client: Client, { backup, view: { app } }: App): Promise<Omit<Check, "what">> {
  const started = await client.start(backup, { operation: "flush", app });
  const signal = AbortSignal.timeout(limitMs);
  const run = await followRun(client, backup, started, { onProgress: () => {}, signal }).catch((error) => {
    if (!signal.aborted) throw error;
    return undefined;
  });
  if (!run) {
    const remedy = `It goes on. How it gets on: make status; to end it: make cancel-${app}`;
    return { ok: false, found: `run ${started.id} has not ended in ${limitMs / 60_000} minutes`, remedy };
  }
  const { outcome, status } = run;
  if (!endedWell(run)) {
    const { message: found, hint: remedy } = outcome?.failure ?? { message: status };
    return { ok: false, found, ...(remedy !== undefined && { remedy }) };
  }
  if (await isSeen(client, backup, app, run.id)) {
    const [warning] = outcome?.warnings ?? [];
    const found = `a run that changes nothing went to its end, and its outcome is on the NAS`;
    return warning === undefined ? { ok: true, found } : { ok: true, found: `${found}; it warns: ${warning}` };
  }
  const remedy = "Does it have the same export as the runs? make doctor CONFIG=… looks at both.";
  return { ok: false, found: `${backup} does not see how run ${run.id} has ended`, remedy };
}

/** Whether the function finds the run's outcome where its state is, on the NAS. */
async function isSeen(client: Client, fn: string, app: string, runId: string): Promise<boolean> {
  const untilMs = performance.now() + seenMs;
  for (;;) {
    const view = (await client.state(fn)).apps.find((one) => one.app === app);
    if (view?.lastOutcome?.runId === runId) return true;
    if (performance.now() > untilMs) return false;
    await delay(1000);
  }
}
