import type { Cluster } from "../../shared/cluster/client.ts";
import { Failure } from "../../shared/failures.ts";
import { count } from "../../shared/words.ts";
import { type Check, describeCheck } from "../cli/checks.ts";
import type { Site } from "../manifests/site.ts";
import { applyAll, compareApplied } from "./applied.ts";
import { checkApp } from "./check-apps.ts";
import { checkGround } from "./check-ground.ts";
import { checkLook, checkNas } from "./check-nas.ts";
import { findIncumbents, type Incumbent, suspend } from "./incumbent.ts";
import { type Hindered, lookAsApp, markNas } from "./look.ts";
import { configSecret, keepToken } from "./secrets.ts";
import type { Stack } from "./stack.ts";
import { wantedOn } from "./wanted.ts";

export interface Deployment {
  readonly cluster: Cluster;
  readonly site: Site;
  readonly stack: Stack;
  /** Where the token is kept for `make` on this machine. */
  readonly tokenPath: string;
  readonly say: (line: string) => void;
  readonly confirm: (question: string) => Promise<boolean>;
}

/**
 * Brings everything of Keepsake but its functions onto a cluster, in order: what the doctor looks at first, then
 * policies before accounts, the settings as the functions' secret, the token. What one app lacks is told, and holds up
 * no other. A second time there is nothing to do. Touches no app, and nothing on the NAS but the marker of a new one.
 * @returns Whether it was done; false when somebody said no.
 * @throws {Failure} `target_invalid` while something is in the way.
 */
export async function deploy({
  cluster,
  site,
  stack: { functionNames, secretNames },
  tokenPath,
  say,
  confirm,
}: Deployment): Promise<boolean> {
  const { config, cluster: where } = site;
  say(`Cluster: ${cluster.config.getCurrentCluster()?.server} (context ${cluster.config.getCurrentContext()})`);
  say(`NAS: ${config.nasExport.server}:${config.nasExport.path}`);
  say(`Functions in ${where.functionNamespace}; apps: ${site.apps.map(({ name }) => name).join(", ")}`);
  const tell = (check: Check) => describeCheck(check).forEach(say);
  await requireGround(checkGround(cluster, site, secretNames), tell);
  for (const app of site.apps) (await checkApp(cluster, app)).forEach(tell);
  if (!(await clearIncumbents({ cluster, site, say, confirm }))) return false;
  if (!(await prepareExport({ cluster, site, say, confirm }, tell))) return false;
  const manifests = [...(await wantedOn(cluster, site, functionNames)), configSecret(site)];
  const todo = (await compareApplied(cluster, manifests)).filter(({ state }) => state !== "same");
  const refused = todo.find(({ state }) => state === "refused");
  if (refused) {
    const { kind, metadata } = refused.manifest;
    throw new Failure("target_invalid", `Cannot deploy: the API refuses ${kind} "${metadata.name}": ${refused.why}`);
  }
  if (todo.length === 0) say(`All ${manifests.length} objects are as the settings have them`);
  else {
    const kinds = [...Map.groupBy(todo, ({ manifest }) => manifest.kind)].map(([kind, all]) => `${all.length} ${kind}`);
    say(`To be applied: ${kinds.join(", ")}`);
    if (!(await confirm(`Apply ${count(todo.length, "object")}?`))) return false;
    await applyAll(
      cluster,
      todo.map(({ manifest }) => manifest),
    );
    say(`Applied ${count(todo.length, "object")}`);
  }
  for (const line of await keepToken(cluster, site, tokenPath)) say(line);
  return true;
}

/** Goes on only where all is there without which nothing could be put on the cluster. */
async function requireGround(checks: AsyncIterable<Check>, tell: (check: Check) => void): Promise<void> {
  const lacking: Check[] = [];
  for await (const check of checks) {
    tell(check);
    if (!check.ok) lacking.push(check);
  }
  const [first] = lacking;
  if (!first) return;
  const what = lacking.map(({ what, found }) => `${what}: ${found}`).join("; ");
  throw new Failure(
    "target_invalid",
    `Cannot deploy: ${what}`,
    first.remedy === undefined ? {} : { hint: first.remedy },
  );
}

/** @returns Whether nothing writes to the export any more. */
async function clearIncumbents({
  cluster,
  site,
  say,
  confirm,
}: Pick<Deployment, "cluster" | "site" | "say" | "confirm">) {
  const found = await findIncumbents(cluster, site);
  refuseAtWork(found);
  if (found.length === 0) return true;
  say("These CronJobs write to the NAS, and would write over what Keepsake publishes:");
  for (const { namespace, name } of found) say(`  ${namespace}/${name}`);
  if (!(await confirm("Suspend them?"))) return false;
  for (const one of found) say(`Suspended ${one.namespace}/${one.name}. To undo it: ${await suspend(cluster, one)}`);
  // One of them may have begun while somebody thought about the question.
  refuseAtWork(await findIncumbents(cluster, site));
  return true;
}

/**
 * The export as runs will have it, looked at from a pod: one that is not marked is marked, after a question; apps whose
 * user cannot write there are told of, with the remedy.
 * @returns Whether it may go on.
 */
async function prepareExport(
  { cluster, site, say, confirm }: Pick<Deployment, "cluster" | "site" | "say" | "confirm">,
  tell: (check: Check) => void,
): Promise<boolean> {
  const [first, ...others] = site.apps;
  if (!first) return true;
  const look = await lookAsApp(cluster, site, first);
  if ("failed" in look) throw cannotUse(site, look);
  if (look.notMarked !== undefined) {
    const { server, path } = site.config.nasExport;
    say(
      `${server}:${path} is not marked as Keepsake's NAS. Marking makes .keepsake in it, and the folders of apps that`,
    );
    say("have none; what is there stays as it is.");
    if (!(await confirm(`Mark ${server}:${path} as the NAS?`))) return false;
    const hindered = await markNas(cluster, site, first);
    if (hindered) throw cannotUse(site, hindered);
    say(`Marked ${server}:${path}`);
  }
  // What the first one saw before the export was marked is not so any more.
  const checks =
    look.notMarked === undefined
      ? [checkLook(site, first, look), ...(await checkNas(cluster, site, others))]
      : await checkNas(cluster, site);
  checks.forEach(tell);
  return true;
}

function cannotUse({ config: { nasExport } }: Site, { failed, hint }: Hindered): Failure {
  const what = `Cannot deploy: a pod cannot use the NAS ${nasExport.server}:${nasExport.path}: ${failed}`;
  return new Failure("target_invalid", what, hint === undefined ? {} : { hint });
}

function refuseAtWork(found: readonly Incumbent[]): void {
  const jobs = found.filter(({ kind }) => kind === "Job");
  if (jobs.length === 0) return;
  const names = jobs.map(({ namespace, name }) => `${namespace}/${name}`).join(", ");
  throw new Failure("target_invalid", `Cannot deploy: ${names} is at work, and writes to the NAS`, {
    hint: "Wait until it has ended: what it copies would take the place of what Keepsake has published.",
  });
}
