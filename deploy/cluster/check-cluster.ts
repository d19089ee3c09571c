import { randomUUID } from "node:crypto";
import { KubeConfig, VersionApi } from "@kubernetes/client-node";
import { apiMessage, ask } from "../../shared/cluster/ask.ts";
import { type Cluster, connect } from "../../shared/cluster/client.ts";
import { cronJobName } from "../../shared/cluster/names.ts";
import { jobOf } from "../../shared/cluster/run-job.ts";
import type { RunDescription } from "../../shared/run/description.ts";
import type { Check } from "../cli/checks.ts";
import { type ClusterApp, functionsAccount, type Site } from "../manifests/site.ts";

/** ValidatingAdmissionPolicy is stable since 1.30, MutatingAdmissionPolicy since 1.36. */
const [oldest, withExport] = [30, 36];

export async function checkVersion({ config }: Cluster): Promise<Check> {
  const { gitVersion, minor } = await ask("ask for the version", () => config.makeApiClient(VersionApi).getCode());
  const number = Number.parseInt(minor, 10);
  const found = `${gitVersion} at ${config.getCurrentCluster()?.server}`;
  if (number < oldest) {
    const remedy = `Keepsake's account is kept within bounds by policies, which came with 1.${oldest}: update the cluster.`;
    return { what: "Kubernetes", ok: false, found, remedy };
  }
  if (number >= withExport) return { what: "Kubernetes", ok: true, found };
  const remedy = `Before 1.${withExport} nothing gives the functions the export by itself: make deploy does, after each faas-cli deploy.`;
  return { what: "Kubernetes", ok: true, found, remedy };
}

/** How far the clock of the API server may be from this one's, in seconds: names of backups are times. */
const clockSeconds = 30;

export async function checkClock({ core }: Cluster, now: () => number = Date.now): Promise<Check> {
  const before = now();
  const { headers } = await ask("ask for the time", () => core.listNamespaceWithHttpInfo({ limit: 1 }));
  const there = Date.parse(headers.date ?? "");
  const after = now();
  const offSeconds = Math.round(Math.max(0, before - there - 1000, there - after) / 1000);
  const ok = offSeconds <= clockSeconds;
  return {
    what: "clock",
    ok,
    found: ok ? "the cluster's is this machine's" : `the cluster's is ${offSeconds} s from this machine's`,
    ...(!ok && { remedy: "Let both follow the same time server (timedatectl)." }),
  };
}

/**
 * Tries what a function does to start a run, as the functions' account, without doing it: a dry run on the server asks
 * every policy.
 */
export async function checkHonestJob(cluster: Cluster, site: Site, app: ClusterApp): Promise<Check> {
  const what = `${app.name}: a run can be started`;
  const { namespace } = app.kubernetes;
  const { functionNamespace } = site.cluster;
  try {
    const cronJob = await cluster.batch.readNamespacedCronJob({ name: cronJobName(app.name), namespace });
    const { status } = await cluster.core.createNamespacedServiceAccountToken({
      name: functionsAccount,
      namespace: functionNamespace,
      body: { spec: { audiences: [], expirationSeconds: 600 } },
    });
    const there = cluster.config.getCurrentCluster();
    if (!there || !status) throw new Error("no token was given");
    const config = new KubeConfig();
    config.loadFromClusterAndUser(there, { name: functionsAccount, token: status.token });
    const body = jobOf(cronJob, trial(app));
    await connect(config).batch.createNamespacedJob({ namespace, body, dryRun: "All" });
    return { what, ok: true, found: "the functions' account may, and its policies let it" };
  } catch (error) {
    const why = apiMessage(error);
    // The API server of 1.36 stops looking at CronJobs for good when the last policy about them was removed.
    const remedy = /no params found/.test(why)
      ? "Restart the API server once (k3s: systemctl restart k3s): it has stopped looking at CronJobs, see docs/cluster.md."
      : "See what stands above; make deploy CONFIG=… applies what is missing.";
    return { what, ok: false, found: why, remedy };
  }
}

const trial = ({ name, type }: ClusterApp): RunDescription => ({
  id: `doctor-${randomUUID()}`,
  function: `backup-${type.type}`,
  app: name,
  request: { operation: "flush", app: name },
  startedBy: "make doctor",
  startedAt: new Date().toISOString(),
});
