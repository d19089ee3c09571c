import "./parse-once.ts";
import { writeSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import type { InPod } from "../shared/cluster/in-pod.ts";
import { Failure } from "../shared/failures.ts";
import { createLog } from "../shared/log.ts";
import { natsUrlOf } from "../shared/nats-url.ts";
import type { Outcome, RunLine } from "../shared/run/report.ts";
import { carryOut, type RunnerOptions } from "../shared/run/runner.ts";
import { publisherTo } from "./publisher.ts";
import { readTask } from "./task.ts";

/**
 * The runner: `node functions/run.ts <keepsake.yaml> <run.json>`, or in the pod of a Job with KEEPSAKE_CONFIG and
 * KEEPSAKE_RUN (the run as JSON). Carries out one run and tells it as NDJSON lines on standard output, its outcome last;
 * events go to NATS_URL, or where the secret or the configuration says. Exit status 0 when it ended well, 1 when it did
 * not, 2 when it could not begin.
 */
export async function runner(
  [configPath, runPath]: string[],
  onStep?: RunnerOptions["onStep"],
  kept?: string,
): Promise<number> {
  const log = createLog("runner");
  const [config, run] = await readTask(configPath, runPath, kept);
  const stop = new AbortController();
  let pod: InPod | undefined;
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.on(name, async () => stop.abort((await pod?.whyAskedToEnd()) ?? cancelled()));
  }
  // The client library costs half a second and 90 MB: only here is it loaded.
  if (config.cluster) pod = (await import("../shared/cluster/in-pod.ts")).inPod(config, process.env, run);
  const natsUrl = () => natsUrlOf(config, process.env.NATS_URL);
  const publisher = publisherTo(natsUrl, { name: `run ${run.id}`, log });
  const outcome = await carryOut(run, {
    config,
    publisher,
    // One that cannot be found out is told of when there is something to tell.
    wakesOthers: (await natsUrl().catch(() => "")) !== undefined,
    tell: (line) => writeLine(line),
    signal: stop.signal,
    log,
    ...(pod && { place: pod.place }),
    ...(onStep && { onStep }),
  });
  if (config.cluster) await leaveInPod(outcome);
  await publisher.close();
  // A read of a hung mount holds a thread that an orderly exit would wait for.
  if (outcome.failure?.code === "nas_unreachable") process.kill(process.pid, "SIGKILL");
  return outcome.failure ? 1 : 0;
}

const cancelled = () =>
  new Failure("cancelled", "The run was cancelled", { hint: "Nothing was changed that was not put back." });

/** Kubernetes keeps it with the pod, also when the NAS and NATS are away (a container's `terminationMessagePath`). */
async function leaveInPod(outcome: Outcome): Promise<void> {
  const { terminationMessage } = await import("../shared/cluster/run-end.ts");
  await writeFile("/dev/termination-log", terminationMessage(outcome)).catch(() => {});
}

/** Synchronous: whoever follows must have the line even when the process dies right after it. */
function writeLine(line: RunLine): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

/**
 * The runner as a process.
 * @param kept Where it keeps what it need not make anew; undefined keeps nothing.
 */
export async function main(kept?: string): Promise<void> {
  process.exitCode = await runner(process.argv.slice(2), undefined, kept).catch((error) => {
    createLog("runner").error({ err: error }, "the run could not begin");
    return 2;
  });
  // It has told how it ended: nothing may keep it, such as a connection that nobody answers.
  process.exit();
}

if (import.meta.main) void main();
