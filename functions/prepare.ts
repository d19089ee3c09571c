import "./parse-once.ts";
import { createLog } from "../shared/log.ts";
import { prepareRun } from "../shared/run/prepare.ts";
import { readTask } from "./task.ts";

/**
 * What comes before another image's container in the pod of a run: `node functions/prepare.ts`, with the environment of
 * `functions/run.ts`. Ends well whatever happens: the runner, which comes last, tells how the run ended.
 */
export async function main(): Promise<void> {
  const log = createLog("prepare");
  const [config, run] = await readTask();
  const { inPod } = await import("../shared/cluster/in-pod.ts");
  const { place, whyAskedToEnd } = inPod(config, process.env, run);
  const stop = new AbortController();
  process.on("SIGTERM", async () => stop.abort(await whyAskedToEnd()));
  await prepareRun(run, { config, place, log, signal: stop.signal });
  process.exit();
}

if (import.meta.main) void main();
