import type { V1ObjectMeta, V1PodSpec } from "@kubernetes/client-node";
import { ask } from "../../shared/cluster/ask.ts";
import { type Cluster, fieldManager, mergePatch } from "../../shared/cluster/client.ts";
import { isOver } from "../../shared/cluster/run-job.ts";
import { partOf } from "../manifests/object.ts";
import type { Site } from "../manifests/site.ts";

/** A job of another system's that writes to the export: its `cp` would write over what Keepsake has published. */
export interface Incumbent {
  readonly kind: "CronJob" | "Job";
  readonly namespace: string;
  readonly name: string;
}

/** CronJobs that are not suspended, and Jobs at work, in any namespace, that mount the export and are not Keepsake's. */
export async function findIncumbents(cluster: Cluster, site: Site): Promise<Incumbent[]> {
  const claims = await nfsClaims(cluster);
  const cronJobs = await ask("list all CronJobs", () => cluster.batch.listCronJobForAllNamespaces());
  const jobs = await ask("list all Jobs", () => cluster.batch.listJobForAllNamespaces());
  const writes = ({ namespace = "", labels }: V1ObjectMeta, pod: V1PodSpec | undefined) =>
    labels?.["app.kubernetes.io/part-of"] !== partOf["app.kubernetes.io/part-of"] &&
    mountsExport(site, claims, namespace, pod);
  const named = (kind: Incumbent["kind"], { namespace = "", name = "" }: V1ObjectMeta) => ({ kind, namespace, name });
  return [
    ...cronJobs.items.flatMap(({ metadata = {}, spec }) =>
      spec?.suspend !== true && writes(metadata, spec?.jobTemplate.spec?.template.spec)
        ? [named("CronJob", metadata)]
        : [],
    ),
    ...jobs.items.flatMap((job) =>
      !isOver(job) && writes(job.metadata ?? {}, job.spec?.template.spec) ? [named("Job", job.metadata ?? {})] : [],
    ),
  ];
}

/**
 * By NFS, or where the nodes have it mounted; a folder of it is enough, and so is what it is a folder of. Who mounts it
 * read-only writes nothing. A claim counts where its volume holds the whole export: that of one app's data, which the
 * NAS may hold as well, is written to by the app's own jobs.
 */
function mountsExport({ config }: Site, volumes: Volumes, namespace: string, pod: V1PodSpec | undefined): boolean {
  const { server, path } = config.nasExport;
  const holds = (one: { server: string; path: string }) => one.server === server && within(path, one.path);
  return (pod?.volumes ?? []).some(({ nfs, hostPath, persistentVolumeClaim: claim }) => {
    if (nfs) return nfs.readOnly !== true && (holds(nfs) || (nfs.server === server && within(nfs.path, path)));
    if (hostPath) return within(hostPath.path, config.nas);
    const share = claim && claim.readOnly !== true ? volumes.get(`${namespace}/${claim.claimName}`) : undefined;
    return share !== undefined && holds(share);
  });
}

const trimmed = (path: string) => path.replace(/\/+$/, "");
const within = (place: string, root: string) => `${trimmed(place)}/`.startsWith(`${trimmed(root)}/`);

/** By "namespace/claim": the share that it stands for, by Kubernetes' own NFS or by the CSI driver's. */
type Volumes = ReadonlyMap<string, { readonly server: string; readonly path: string }>;

async function nfsClaims(cluster: Cluster): Promise<Volumes> {
  const { items } = await ask("list volumes", () => cluster.core.listPersistentVolume());
  return new Map(
    items.flatMap(({ spec }) => {
      const { server, share: path } = spec?.csi?.volumeAttributes ?? {};
      const share = spec?.nfs ?? (server !== undefined && path !== undefined ? { server, path } : undefined);
      const { namespace, name } = spec?.claimRef ?? {};
      return share ? [[`${namespace}/${name}`, share] as const] : [];
    }),
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
