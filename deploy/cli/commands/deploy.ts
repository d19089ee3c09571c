import { spawn } from "node:child_process";
import { join } from "node:path";
import { toFailure } from "../../../shared/failures.ts";
import { count } from "../../../shared/words.ts";
import { confirm, type LocalCommand, requireAnswerable } from "../command.ts";
import { CliError, exits, usage } from "../exit.ts";
import type { Environment } from "../session.ts";

type Work = typeof import("../../cluster/deploy.ts").deploy | typeof import("../../cluster/undeploy.ts").undeploy;

const named = ({ options }: Environment): string => {
  if (options.config !== undefined) return options.config;
  throw usage("Cannot tell which settings: CONFIG=… is wanted, such as CONFIG=deploy/keepsake.yaml");
};

/** What both commands do: read the settings, ask, work on the cluster of the kubeconfig. */
async function onCluster(environment: Environment, action: string, load: () => Promise<Work>) {
  const { terminal, home } = environment;
  const path = named(environment);
  requireAnswerable(environment, action);
  // The client library takes its time to load, and is of no use to other commands.
  const { functionNames, readSite, secretNames } = await import("../../cluster/doctor.ts");
  const { connect } = await import("../../../shared/cluster/client.ts");
  try {
    const site = await readSite(path);
    const cluster = connect();
    const names = await functionNames();
    const done = await (await load())({
      ...{ cluster, site, functionNames: names, secretNames: await secretNames() },
      tokenPath: join(home, ".config/keepsake/token"),
      say: (line) => terminal.err(line),
      confirm: (question) => confirm(environment, question),
      removeFunctions: () => removeFunctions(environment.clone, site.cluster.functionNamespace),
    });
    return {
      done,
      site,
      giveExport: async () => (await import("../../cluster/functions.ts")).giveExport(cluster, site, names),
    };
  } catch (error) {
    if (error instanceof CliError) throw error;
    const { message, hint } = toFailure(error);
    throw new CliError(exits.failed, message, hint === undefined ? {} : { hint });
  }
}

export const deploy: LocalCommand = {
  name: "deploy",
  names: "none",
  takes: ["config", "yes"],
  summary: "bring Keepsake onto the cluster of your kubeconfig",
  details:
    "Policies, accounts, CronJobs, settings and the token by itself, the functions by faas-cli, which has your login.\n" +
    "Refuses while a job of another system writes to the NAS; marks a NAS that is new, after a question.\n" +
    "A second time nothing is applied; OpenFaaS restarts the functions.",
  async runHere(environment) {
    const { terminal, clone } = environment;
    const { done, site, giveExport } = await onCluster(
      environment,
      "deploy",
      async () => (await import("../../cluster/deploy.ts")).deploy,
    );
    if (!done) return exits.failed;
    const line = `KEEPSAKE_IMAGE=${site.cluster.image} faas-cli deploy -f stack.yml --namespace ${site.cluster.functionNamespace}`;
    const status = await faasCli(clone, ["deploy", "-f", "stack.yml", "--namespace", site.cluster.functionNamespace], {
      KEEPSAKE_IMAGE: site.cluster.image,
    });
    if (status === 0) {
      // Where a policy does it, this finds nothing to do; one that came a moment before its functions may have missed them.
      const given = await giveExport();
      if (given > 0) terminal.err(`Gave ${count(given, "function")} the export, which no policy had`);
      terminal.out("Deployed. To see that all is well: make doctor CONFIG=… GATEWAY=…");
      return exits.ok;
    }
    const why = status === undefined ? "faas-cli is not on the PATH" : `faas-cli ended with ${status}`;
    terminal.out(`The functions are not deployed: ${why}. Type: ${line}`);
    return exits.failed;
  },
};

export const undeploy: LocalCommand = {
  name: "undeploy",
  names: "none",
  takes: ["config", "yes"],
  summary: "take Keepsake off the cluster of your kubeconfig",
  details:
    "The functions by faas-cli, then everything that deploy has applied. The NAS, the apps and the token stay.\n" +
    "Refuses while a run is at work, or has left an app stopped.",
  async runHere(environment) {
    const { terminal } = environment;
    const { done } = await onCluster(
      environment,
      "undeploy",
      async () => (await import("../../cluster/undeploy.ts")).undeploy,
    );
    if (!done) return exits.failed;
    terminal.out("Removed. What is on the NAS stays, and so does the token in the secret keepsake-token.");
    return exits.ok;
  },
};

/** @throws {CliError} When they may still be there. */
async function removeFunctions(clone: string, namespace: string): Promise<void> {
  const args = ["remove", "-f", "stack.yml", "--namespace", namespace];
  const status = await faasCli(clone, args, {});
  if (status === 0) return;
  const why = status === undefined ? "faas-cli is not on the PATH" : `faas-cli ended with ${status}`;
  throw new CliError(exits.failed, `Cannot remove the functions: ${why}; nothing was removed`, {
    hint: `Type it yourself, then undeploy once more: faas-cli ${args.join(" ")}`,
  });
}

/** @returns Its exit status; undefined when it is not on the PATH. */
function faasCli(folder: string, args: readonly string[], env: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve) => {
    const child = spawn("faas-cli", args, { cwd: folder, stdio: "inherit", env: { ...process.env, ...env } });
    child.on("error", () => resolve(undefined));
    child.on("exit", (code) => resolve(code ?? 1));
  });
}
