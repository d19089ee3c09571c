import { appendFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { logPublisher } from "../../../events/publisher.ts";
import { loadAppTypes } from "../../../functions/types.ts";
import { connect } from "../../../shared/cluster/client.ts";
import { clusterWorkload, isStoppedOnCluster } from "../../../shared/cluster/workload.ts";
import { type AppConfig, loadConfig } from "../../../shared/config.ts";
import { createLog } from "../../../shared/log.ts";
import { RunDescription } from "../../../shared/run/description.ts";
import { localPlace, type Place } from "../../../shared/run/place.ts";
import type { RunLine } from "../../../shared/run/report.ts";
import { carryOut } from "../../../shared/run/runner.ts";

/*
 * A run whose app is on a cluster while it is a process of this machine, so that it can be killed right before its step
 * n (0: never). The cluster is that of KUBECONFIG, else that of the file "kubeconfig" beside keepsake.yaml.
 * node outside-runner.ts <n> <steps.txt> <keepsake.yaml> <run.json>
 */
const [killAt, stepsPath = "", configPath = "", runPath = ""] = process.argv.slice(2);
process.env.KUBECONFIG ??= configPath.replace(/[^/]*$/, "kubeconfig");
const config = await loadConfig(configPath, await loadAppTypes());
const cluster = connect();
const at = ({ kubernetes }: AppConfig) => {
  if (!kubernetes?.workload) throw new Error("An app with a workload is wanted");
  return { ...kubernetes, workload: kubernetes.workload };
};
const place: Place = {
  ...localPlace(config),
  canStop: () => true,
  isStopped: (app) => isStoppedOnCluster(cluster, at(app)),
  workload: (app, { step, signal, warn }) =>
    clusterWorkload(cluster, { app: app.name, at: at(app), step, signal, warn }),
};
const log = createLog("runner");
let steps = 0;
const outcome = await carryOut(RunDescription.parse(JSON.parse(await readFile(runPath, "utf8"))), {
  config,
  place,
  publisher: logPublisher(log),
  tell: (line: RunLine) => process.stdout.write(`${JSON.stringify(line)}\n`),
  signal: new AbortController().signal,
  log,
  onStep(what) {
    steps += 1;
    appendFileSync(stepsPath, `${what}\n`);
    if (steps === Number(killAt)) process.kill(process.pid, "SIGKILL");
  },
});
process.exitCode = outcome.failure ? 1 : 0;
