import { appendFileSync, existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { logPublisher } from "../../../events/publisher.ts";
import { loadAppTypes } from "../../../functions/types.ts";
import { connect } from "../../../shared/cluster/client.ts";
import { loadConfig } from "../../../shared/config.ts";
import { Failure } from "../../../shared/failures.ts";
import { createLog } from "../../../shared/log.ts";
import { RunDescription } from "../../../shared/run/description.ts";
import type { RunLine } from "../../../shared/run/report.ts";
import { carryOut } from "../../../shared/run/runner.ts";
import { outsidePlace } from "./outside-place.ts";

/*
 * A run whose app is on a cluster while it is a process of this machine, so that it can be killed right before its step
 * n (0: never), or held up before the step that HOLD_AT matches, until there is a file "go" beside keepsake.yaml. The
 * cluster is that of the file "kubeconfig" there.
 * node outside-runner.ts <n> <steps.txt> <keepsake.yaml> <run.json>
 */
const [killAt, stepsPath = "", configPath = "", runPath = ""] = process.argv.slice(2);
const beside = (name: string) => join(dirname(configPath), name);
const holdAt = process.env.HOLD_AT === undefined ? undefined : new RegExp(process.env.HOLD_AT);
process.env.KUBECONFIG = beside("kubeconfig");
const config = await loadConfig(configPath, await loadAppTypes());
const log = createLog("runner");
let steps = 0;
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort(new Failure("cancelled", "The run was cancelled")));
const outcome = await carryOut(RunDescription.parse(JSON.parse(await readFile(runPath, "utf8"))), {
  config,
  place: outsidePlace(config, connect()),
  publisher: logPublisher(log),
  tell: (line: RunLine) => process.stdout.write(`${JSON.stringify(line)}\n`),
  signal: stop.signal,
  log,
  async onStep(what) {
    steps += 1;
    appendFileSync(stepsPath, `${what}\n`);
    if (steps === Number(killAt)) process.kill(process.pid, "SIGKILL");
    if (holdAt?.test(what)) while (!existsSync(beside("go"))) await delay(20);
  },
});
process.exitCode = outcome.failure ? 1 : 0;
