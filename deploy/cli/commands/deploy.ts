import { join } from "node:path";
import type { Cluster } from "../../../shared/cluster/client.ts";
import { toFailure } from "../../../shared/failures.ts";
import { count } from "../../../shared/words.ts";
import type { Stack } from "../../cluster/stack.ts";
import type { Site } from "../../manifests/site.ts";
import { readTypes } from "../apps.ts";
import { checkCanaries } from "../check-canary.ts";
import { checkGateway } from "../check-gateway.ts";
import type { Check } from "../checks.ts";
import { Client } from "../client.ts";
import { confirm, type LocalCommand, requireAnswerable } from "../command.ts";
import { CliError, exits, usage } from "../exit.ts";
import { type FaasCli, lineOf, runFaasCli } from "../faas-cli.ts";
import { Findings } from "../findings.ts";
import { clusterGateway, type GatewayChoice, readToken } from "../gateway.ts";
import type { Environment } from "../session.ts";

/** What both commands work with. */
interface Work {
  readonly environment: Environment;
  readonly cluster: Cluster;
  readonly site: Site;
  readonly stack: Stack;
  readonly gateway: GatewayChoice;
}

/** A connector looks for functions every 30 s, as deploy/values has it. */
const connectorsMs = 45_000;

export const deploy: LocalCommand = {
  name: "deploy",
  names: "none",
  takes: ["config", "yes"],
  summary: "bring Keepsake onto the cluster of your kubeconfig",
  details:
    "Looks first at what doctor looks at. Then policies, accounts, CronJobs, settings and the token by itself, the functions\n" +
    "by faas-cli, which has your login at GATEWAY=. Refuses while a job of another system writes to the NAS; marks a NAS\n" +
    "that is new, after a question. Afterwards each function and connector is looked at, and a run of each app that changes\n" +
    "nothing is made. A second time nothing is applied; OpenFaaS restarts the functions.",
  runHere: (environment) =>
    onCluster(environment, "deploy", async (work) => {
      const { deploy } = await import("../../cluster/deploy.ts");
      const { terminal } = environment;
      const done = await deploy({
        ...{ ...work, ...asking(environment) },
        tokenPath: tokenPath(environment),
      });
      if (!done || !(await deployFunctions(work))) return exits.failed;
      const findings = new Findings(terminal);
      await findings.tellAll("cluster", checkDeployed(work));
      await findings.tellAll("gateway", checkBehind(work));
      return findings.end();
    }),
};

export const undeploy: LocalCommand = {
  name: "undeploy",
  names: "none",
  takes: ["config", "yes"],
  summary: "take Keepsake off the cluster of your kubeconfig",
  details:
    "The functions by faas-cli, then everything that deploy has applied. The NAS, the apps and the token stay.\n" +
    "Refuses while a run is at work, or has left an app stopped.",
  runHere: (environment) =>
    onCluster(environment, "undeploy", async (work) => {
      const { undeploy } = await import("../../cluster/undeploy.ts");
      const done = await undeploy({
        ...{ ...work, ...asking(environment) },
        removeFunctions: () => removeFunctions(work),
      });
      if (!done) return exits.failed;
      environment.terminal.out(
        "Removed. What is on the NAS stays, and so does the token in the secret keepsake-token.",
      );
      return exits.ok;
    }),
};

/** Reads the settings, and works on the cluster of the kubeconfig. */
async function onCluster(
  environment: Environment,
  action: string,
  work: (work: Work) => Promise<number>,
): Promise<number> {
  const { options, home, clone } = environment;
  if (options.config === undefined)
    throw usage("Cannot tell which settings: CONFIG=… is wanted, such as CONFIG=deploy/keepsake.yaml");
  requireAnswerable(environment, action);
  const gateway = await clusterGateway(options, tokenPath(environment), home);
  // The client library takes its time to load, and is of no use to other commands.
  const { readSite } = await import("../../cluster/doctor.ts");
  const { readStack } = await import("../../cluster/stack.ts");
  const { connect } = await import("../../../shared/cluster/client.ts");
  try {
    const site = await readSite(options.config);
    return await work({ environment, cluster: connect(), site, stack: await readStack(clone), gateway });
  } catch (error) {
    if (error instanceof CliError) throw error;
    const { message, hint } = toFailure(error);
    throw new CliError(exits.failed, message, hint === undefined ? {} : { hint });
  }
}

const asking = (environment: Environment) => ({
  say: (line: string) => environment.terminal.err(line),
  confirm: (question: string) => confirm(environment, question),
});

const tokenPath = ({ home }: Environment) => join(home, ".config/keepsake/token");

/** @returns Whether they are there, by `faas-cli` or by somebody's own hand. */
async function deployFunctions({
  environment,
  cluster,
  site,
  stack: { functionNames },
  gateway,
}: Work): Promise<boolean> {
  const { terminal, clone } = environment;
  const { areDeployed, giveExport } = await import("../../cluster/functions.ts");
  const call = faasCli("deploy", site, gateway, { KEEPSAKE_IMAGE: site.cluster.image });
  const why = await runFaasCli(clone, call);
  if (why !== undefined) {
    const are = await areDeployed(cluster, site, functionNames);
    terminal.err(`The functions are ${are ? "left as they are" : "not deployed"}: ${why}. Type: ${lineOf(call)}`);
    if (!are) return false;
  }
  // Where a policy does it, this finds nothing to do; one that came a moment before its functions may have missed them.
  const given = await giveExport(cluster, site, functionNames);
  if (given > 0) terminal.err(`Gave ${count(given, "function")} the export, which no policy had`);
  return true;
}

/** @throws {CliError} When they may still be there. */
async function removeFunctions({ environment, site, gateway }: Work): Promise<void> {
  const call = faasCli("remove", site, gateway, {});
  const why = await runFaasCli(environment.clone, call);
  if (why === undefined) return;
  throw new CliError(exits.failed, `Cannot remove the functions: ${why}; nothing was removed`, {
    hint: `Type it yourself, then undeploy once more: ${lineOf(call)}`,
  });
}

const faasCli = (command: string, { cluster }: Site, { url }: GatewayChoice, env: Record<string, string>): FaasCli => ({
  args: [command, "-f", "stack.yml", "--namespace", cluster.functionNamespace, "--gateway", url],
  env,
});

/** Whether what was deployed stands on the cluster, is up, and is known to what calls it. */
async function* checkDeployed({ cluster, site, stack }: Work): AsyncGenerator<Check> {
  const { checkUp } = await import("../../cluster/functions.ts");
  const { checkStanding } = await import("../../cluster/check-standing.ts");
  yield checkUp(cluster, site, stack.functionNames);
  yield* checkStanding(cluster, site, stack, connectorsMs);
}

/** Whether it works, as a user has it: through the gateway. */
async function* checkBehind({ environment, site, gateway }: Work): AsyncGenerator<Check> {
  const types = await readTypes(environment.clone);
  const client = new Client(gateway, await readToken(gateway.tokenFile));
  const names = site.apps.map(({ name }) => name);
  try {
    yield* checkGateway(client, types, true);
    yield* checkCanaries(client, types, names);
  } catch (error) {
    if (!(error instanceof CliError) || error.exit !== exits.unreachable) throw error;
    const { options } = environment;
    const { openfaasNamespace } = site.cluster;
    const remedy = [
      "Not checked: whether the functions answer, and whether a run of each app works. To have it done:",
      `kubectl port-forward -n ${openfaasNamespace} svc/gateway 31112:8080`,
      `make deploy CONFIG=${options.config} GATEWAY=http://127.0.0.1:31112`,
    ].join("\n");
    yield { what: "gateway", ok: false, found: error.message, remedy };
  }
}
