import { setTimeout as delay } from "node:timers/promises";
import type { V1Deployment } from "@kubernetes/client-node";
import { ask } from "../../shared/cluster/ask.ts";
import type { Cluster } from "../../shared/cluster/client.ts";
import { count } from "../../shared/words.ts";
import type { Check } from "../cli/checks.ts";
import type { Site } from "../manifests/site.ts";
import type { Stack } from "./stack.ts";

/**
 * Whether what calls the functions is there, by every topic that stack.yml has, and knows those that have a schedule.
 * @param patienceMs It looks for functions every so often: so long it is waited for.
 */
export async function checkConnectors(
  cluster: Cluster,
  site: Site,
  { topics, scheduled }: Pick<Stack, "topics" | "scheduled">,
  patienceMs: number,
): Promise<Check[]> {
  const { openfaasNamespace: namespace, functionNamespace } = site.cluster;
  const untilMs = performance.now() + patienceMs;
  for (;;) {
    const { items } = await ask(`list what runs in "${namespace}"`, () =>
      cluster.apps.listNamespacedDeployment({ namespace }),
    );
    const log = await logOf(cluster, namespace, findConnector(items, "cron-connector"));
    const checks = [
      checkCron(items, namespace, unseenIn(log, functionNamespace, scheduled)),
      checkNats(items, namespace, topics),
    ];
    if (checks.every(({ ok }) => ok) || performance.now() > untilMs) return checks;
    await delay(lookMs);
  }
}

const lookMs = 1000;

/**
 * The functions that the log of a cron-connector does not name as taken up, the last time that it names them. It has no
 * other way to tell.
 */
export function unseenIn(log: string, namespace: string, functions: readonly string[]): string[] {
  const lines = log.split("\n");
  return functions.filter((name) => {
    const [added, deleted] = ["added", "deleted"].map((done) =>
      lines.findLastIndex((line) => line.endsWith(` ${done} function ${name} in ${namespace}`)),
    );
    return (added ?? -1) <= (deleted ?? -1);
  });
}

/** @param unseen Functions that it has not taken up. */
export function checkCron(all: readonly V1Deployment[], namespace: string, unseen: readonly string[]): Check {
  const what = "cron-connector";
  const found = findConnector(all, what);
  const bad = notUp(found, namespace, what);
  if (bad) return bad;
  const name = `${namespace}/${found?.metadata?.name}`;
  if (unseen.length === 0) return { what, ok: true, found: `${name} is up, and has taken up what has a schedule` };
  const remedy = `It looks every rebuild_interval, by the gateway. Its log says why not: kubectl logs -n ${namespace} deployment/${found?.metadata?.name}`;
  return { what, ok: false, found: `${name} has not taken up ${unseen.join(", ")}`, remedy };
}

export function checkNats(all: readonly V1Deployment[], namespace: string, topics: readonly string[]): Check {
  const what = "nats-connector";
  const found = findConnector(all, what);
  const bad = notUp(found, namespace, what);
  if (bad) return bad;
  const name = `${namespace}/${found?.metadata?.name}`;
  const bound = (containerOf(found, what)?.env?.find((one) => one.name === "topics")?.value ?? "").split(",");
  const lacking = topics.filter((topic) => !bound.includes(topic));
  if (lacking.length === 0)
    return { what, ok: true, found: `${name} is up, and bound to ${count(topics.length, "topic")}` };
  const remedy = "Its topics have to be those of deploy/values/nats-connector.yaml.";
  return { what, ok: false, found: `${name} is not bound to ${lacking.join(", ")}`, remedy };
}

/** By its image, whatever the chart calls it. */
const findConnector = (all: readonly V1Deployment[], what: string) => all.find((one) => containerOf(one, what));

const containerOf = (deployment: V1Deployment | undefined, what: string) =>
  deployment?.spec?.template.spec?.containers.find(({ image }) => image?.includes(`/${what}:`));

function notUp(found: V1Deployment | undefined, namespace: string, what: string): Check | undefined {
  if (!found) {
    const remedy = `deploy/values/${what}.yaml begins with the line that installs it.`;
    return { what, ok: false, found: `none is in "${namespace}": its functions are called by nobody`, remedy };
  }
  if (found.status?.readyReplicas) return undefined;
  const name = found.metadata?.name;
  const remedy = `kubectl describe deployment ${name} -n ${namespace}`;
  return { what, ok: false, found: `${namespace}/${name} is not up`, remedy };
}

/** What the pods of a Deployment have said, all together; nothing of those that have not begun. */
async function logOf(cluster: Cluster, namespace: string, deployment: V1Deployment | undefined): Promise<string> {
  const labels = Object.entries(deployment?.spec?.selector.matchLabels ?? {});
  if (labels.length === 0) return "";
  const labelSelector = labels.map(([key, value]) => `${key}=${value}`).join(",");
  const { items } = await ask(`list pods in "${namespace}"`, () =>
    cluster.core.listNamespacedPod({ namespace, labelSelector }),
  );
  const running = items.filter(({ status }) => status?.phase === "Running");
  const logs = running.map(async ({ metadata: { name = "" } = {} }) =>
    // A pod that is just being replaced has none.
    cluster.core.readNamespacedPodLog({ namespace, name }).catch(() => ""),
  );
  return (await Promise.all(logs)).join("\n");
}
