import { readTypes } from "../apps.ts";
import { checkGateway } from "../check-gateway.ts";
import { type Check, checkNode } from "../checks.ts";
import { Client } from "../client.ts";
import type { LocalCommand } from "../command.ts";
import { Findings } from "../findings.ts";
import { findGateway, readToken } from "../gateway.ts";
import type { Environment } from "../session.ts";

export const doctor: LocalCommand = {
  name: "doctor",
  names: "none",
  takes: ["config"],
  summary: "check gateway, functions, messages, token, NAS and tools",
  details:
    "Changes nothing. Each problem comes with its remedy. With CONFIG= the cluster of your kubeconfig is looked at, too:\n" +
    "its version and clock, the apps' workloads, claims and secrets, policies, accounts and CronJobs, and the NAS, which a\n" +
    "Job for each app looks at as a run has it.",
  async runHere(environment) {
    const findings = new Findings(environment.terminal);
    findings.tell(checkNode(process.versions.node));
    const { config } = environment.options;
    if (config !== undefined) await findings.tellAll("cluster", checkTheCluster(config, environment.clone));
    await findings.tellAll("gateway", checkTheGateway(environment));
    return findings.end();
  },
};

/** What is on the cluster that the kubeconfig names. */
async function* checkTheCluster(path: string, clone: string): AsyncGenerator<Check> {
  // The client library takes its time to load, and is of no use elsewhere.
  const { checkCluster, readSite } = await import("../../cluster/doctor.ts");
  const { readStack } = await import("../../cluster/stack.ts");
  const { connect } = await import("../../../shared/cluster/client.ts");
  yield* checkCluster(connect(), await readSite(path), await readStack(clone));
}

async function* checkTheGateway({ options, clone, home }: Environment): AsyncGenerator<Check> {
  const types = await readTypes(clone);
  const gateway = await findGateway(options, clone, home);
  const token = await readToken(gateway.tokenFile).catch(() => undefined);
  yield* checkGateway(new Client(gateway, token), types, token !== undefined);
}
