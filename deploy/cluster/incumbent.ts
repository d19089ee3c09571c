import type { V1PodSpec } from "@kubernetes/client-node";
import { ask } from "../../shared/cluster/ask.ts";
import { type Cluster, fieldManager, mergePatch } from "../../shared/cluster/client.ts";
import { isOver } from "../../shared/cluster/run-job.ts";
import { partOf } from "../manifests/object.ts";
import { appNamespaces, type Site } from "../manifests/site.ts";

/** A job of another system's that writes to the export: its `cp` would write over what Keepsake has published. */
export interface Incumbent {
  readonly kind: "CronJob" | "Job";
  readonly namespace: string;
  readonly name: string;
}

/** CronJobs that are not suspended, and Jobs at work, in the apps' namespaces, that mount the export and are not Keepsake's. */
export async function findIncumbents(cluster: Cluster, site: Site): Promise<Incumbent[]> {
  const found: Incumbent[] = [];
  const isOther = (labels: Record<string, string> | undefined) =>
    labels?.["app.kubernetes.io/part-of"] !== partOf["app.kubernetes.io/part-of"];
  for (const namespace of appNamespaces(site)) {
    const cronJobs = await ask(`list CronJobs in "${namespace}"`, () =>
      cluster.batch.listNamespacedCronJob({ namespace }),
    );
    for (const { metadata, spec } of cronJobs.items) {
      const pod = spec?.jobTemplate.spec?.template.spec;
      if (isOther(metadata?.labels) && spec?.suspend !== true && mountsExport(site, pod))
        found.push({ kind: "CronJob", namespace, name: metadata?.name ?? "" });
    }
    const jobs = await ask(`list Jobs in "${namespace}"`, () => cluster.batch.listNamespacedJob({ namespace }));
    for (const job of jobs.items) {
      if (isOther(job.metadata?.labels) && !isOver(job) && mountsExport(site, job.spec?.template.spec))
        found.push({ kind: "Job", namespace, name: job.metadata?.name ?? "" });
    }
  }
  return found;
}

/** By NFS, or where the nodes have it mounted: a folder of it is enough. */
function mountsExport({ config }: Site, pod: V1PodSpec | undefined): boolean {
  const { server, path } = config.nasExport;
  const within = (place: string, root: string) => place === root || place.startsWith(`${root.replace(/\/$/, "")}/`);
  return (pod?.volumes ?? []).some(
    ({ nfs, hostPath }) =>
      (nfs?.server === server && within(nfs.path, path)) ||
      (hostPath !== undefined && within(hostPath.path, config.nas)),
  );
}

/** @returns The line that undoes it. */
export async function suspend(cluster: Cluster, { namespace, name }: Incumbent): Promise<string> {
  await ask(`suspend the CronJob "${name}"`, () =>
    cluster.batch.patchNamespacedCronJob(
      { namespace, name, body: { spec: { suspend: true } }, fieldManager },
      mergePatch,
    ),
  );
  return `kubectl patch cronjob ${name} -n ${namespace} --type=merge --patch='{"spec":{"suspend":false}}'`;
}
