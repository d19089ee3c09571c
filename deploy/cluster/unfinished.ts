import { ask } from "../../shared/cluster/ask.ts";
import type { Cluster } from "../../shared/cluster/client.ts";
import { listWorkloads, nameOf } from "../../shared/cluster/live-workload.ts";
import { isOver, runOfJob } from "../../shared/cluster/run-job.ts";
import { readMark } from "../../shared/cluster/stopped-mark.ts";
import { appNamespaces, type Site } from "../manifests/site.ts";

/** Something that only Keepsake can bring to its end. */
export interface Unfinished {
  readonly found: string;
  readonly remedy: string;
}

/** Runs at work, and apps that a run has stopped and nobody has started since. */
export async function findUnfinished(cluster: Cluster, site: Site): Promise<Unfinished[]> {
  const found: Unfinished[] = [];
  for (const namespace of appNamespaces(site)) {
    const { items } = await ask(`list Jobs in "${namespace}"`, () => cluster.batch.listNamespacedJob({ namespace }));
    for (const job of items) {
      const run = runOfJob(job);
      if (!run || isOver(job)) continue;
      const remedy = `Wait until it has ended, or end it: make cancel-${run.app}`;
      found.push({ found: `the run ${run.id} of "${run.app}" is at work (Job ${job.metadata?.name})`, remedy });
    }
  }
  for (const { name, kubernetes } of site.apps) {
    const { namespace, workload } = kubernetes;
    if (!workload) continue;
    for (const live of await listWorkloads(cluster, { namespace, workload }, 10_000)) {
      if (readMark(live.annotations) === undefined) continue;
      const remedy = `The next run brings it back: make backup-${name}`;
      found.push({ found: `a run has left ${nameOf(live)} in "${namespace}" stopped`, remedy });
    }
  }
  return found;
}
