import { toFailure } from "../../../shared/failures.ts";
import { readTypes } from "../apps.ts";
import {
  type Check,
  checkFunction,
  checkNode,
  checkNotify,
  checkPostgres,
  checkToken,
  checkTokenFile,
} from "../checks.ts";
import { Client } from "../client.ts";
import type { LocalCommand } from "../command.ts";
import { CliError, exits } from "../exit.ts";
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
    const { terminal } = environment;
    let problems = 0;
    const tell = ({ what, ok, found, remedy }: Check) => {
      terminal.out(`${ok ? "ok     " : "PROBLEM"}  ${what}: ${found}`);
      if (!ok) problems++;
      if (remedy) terminal.out(`         ${remedy.replaceAll("\n", "\n         ")}`);
    };
    tell(checkNode(process.versions.node));
    const { config } = environment.options;
    if (config !== undefined) await checkTheCluster(config, tell);
    await checkGateway(environment, tell);
    terminal.out(problems === 0 ? "All is well." : `${problems} to look at.`);
    return problems === 0 ? exits.ok : exits.failed;
  },
};

/** What is on the cluster that the kubeconfig names; stops where nothing further could be learnt. */
async function checkTheCluster(path: string, tell: (check: Check) => void): Promise<void> {
  try {
    // The client library takes its time to load, and is of no use elsewhere.
    const { checkCluster, functionNames, readSite } = await import("../../cluster/doctor.ts");
    const { connect } = await import("../../../shared/cluster/client.ts");
    const site = await readSite(path);
    for await (const check of checkCluster(connect(), site, await functionNames())) tell(check);
  } catch (error) {
    const { message, hint } = toFailure(error);
    tell({ what: "cluster", ok: false, found: message, ...(hint !== undefined && { remedy: hint }) });
  }
}

/** All that a gateway has to do with; stops where nothing further could be learnt. */
async function checkGateway({ options, clone, home }: Environment, tell: (check: Check) => void): Promise<void> {
  try {
    const types = await readTypes(clone);
    const gateway = await findGateway(options, clone, home);
    const token = await readToken(gateway.tokenFile).catch(() => undefined);
    const client = new Client(gateway, token);
    const functions = types.flatMap(({ backup, restore }) => [backup, restore]);
    const answers = await Promise.all(functions.map((fn) => checkFunction(client, fn)));
    tell({ what: "gateway", ok: true, found: `${gateway.url} (${gateway.from})` });
    for (const answer of answers) tell(answer);
    tell(await checkNotify(client));
    tell(await checkTokenFile(gateway.tokenFile));
    const served = answers.find(({ ok }) => ok);
    if (token !== undefined && served) tell(await checkToken(client, served.what));
    if (gateway.own && types.some(({ type }) => type === "postgresql")) tell(await checkPostgres());
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    tell({ what: "gateway", ok: false, found: error.message, ...(error.hint && { remedy: error.hint }) });
  }
}
