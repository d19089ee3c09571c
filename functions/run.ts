import "./parse-once.ts";
import { writeSync } from "node:fs";
import { loadConfig } from "../shared/config.ts";
import { Failure } from "../shared/failures.ts";
import { readFile } from "../shared/files.ts";
import { createLog } from "../shared/log.ts";
import { natsUrlOf } from "../shared/nats-url.ts";
import { RunDescription } from "../shared/run/description.ts";
import type { RunLine } from "../shared/run/report.ts";
import { carryOut, type RunnerOptions } from "../shared/run/runner.ts";
import { publisherTo } from "./publisher.ts";
import { loadAppTypes } from "./types.ts";

/**
 * The runner: `node functions/run.ts <keepsake.yaml> <run.json>`. Carries out one run and tells it as NDJSON lines on
 * standard output, its outcome last; events go to NATS_URL, or where the secret or the configuration says. Exit status 0 when it ended well, 1 when it did not, 2 when it could not begin.
 */
export async function runner([configPath, runPath]: string[], onStep?: RunnerOptions["onStep"]): Promise<number> {
  const log = createLog("runner");
  if (configPath === undefined || runPath === undefined) {
    log.error("Usage: node functions/run.ts <keepsake.yaml> <run.json>");
    return 2;
  }
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.on(name, () =>
      stop.abort(
        new Failure("cancelled", "The run was cancelled", { hint: "Nothing was changed that was not put back." }),
      ),
    );
  }
  const config = await loadConfig(configPath, await loadAppTypes());
  const run = RunDescription.parse(JSON.parse(await readFile(runPath, "utf8")));
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
    ...(onStep && { onStep }),
  });
  await publisher.close();
  // A read of a hung mount holds a thread that an orderly exit would wait for.
  if (outcome.failure?.code === "nas_unreachable") process.kill(process.pid, "SIGKILL");
  return outcome.failure ? 1 : 0;
}

const lingerMs = 10_000;

/** Synchronous: whoever follows must have the line even when the process dies right after it. */
function writeLine(line: RunLine): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

/** The runner as a process. */
export async function main(): Promise<void> {
  process.exitCode = await runner(process.argv.slice(2)).catch((error) => {
    createLog("runner").error({ err: error }, "the run could not begin");
    return 2;
  });
  // It has told how it ended: nothing may keep it, such as a connection that nobody answers.
  setTimeout(() => process.exit(), lingerMs).unref();
}

if (import.meta.main) void main();
