import type { AppConfig, Config } from "../config.ts";
import { Failure, type FailureCode } from "../failures.ts";
import { withDeadline } from "../nas/deadline.ts";
import { openNas } from "../nas/nas.ts";
import { laneOf } from "../run/description.ts";
import { hasOutcome } from "../run/outbox.ts";
import type { LostRun, Place, PlaceView } from "../run/place.ts";
import { noWorkload } from "../run/workload.ts";
import type { Cluster } from "./client.ts";
import { howItEnded } from "./how-it-ended.ts";
import { leaseHolder, type PodIdentity, takeLease } from "./lease.ts";
import { annotations, labels } from "./names.ts";
import { endOfSilent, leftInPod, writtenOn } from "./run-end.ts";
import { isOver, runOfJob } from "./run-job.ts";
import { jobsOf, podOf } from "./seen-job.ts";
import type { Kubernetes } from "./settings.ts";
import { clusterWorkload, isStoppedOnCluster } from "./workload.ts";

/** With these a run ends without a record, wherever it is carried out. */
const unrecorded: ReadonlySet<FailureCode> = new Set(["app_busy", "lock_lost"]);

/** What a cluster knows of its runs: locks are Leases, a stopped app says so itself, runs that died are Jobs. */
export function clusterView(cluster: Cluster, config: Config, now: () => number = Date.now): PlaceView {
  const at = (app: string) => kubernetesOf(config, app);
  return {
    lockHolder: ({ app }, lane) => leaseHolder(cluster, at(app).namespace, app, lane),
    async isStopped({ name }) {
      const { namespace, workload } = at(name);
      return workload !== undefined && isStoppedOnCluster(cluster, { namespace, workload });
    },
    async lost(name) {
      const { namespace } = at(name);
      const folders = openNas(config.nas).app(name);
      const app = config.apps.find((candidate) => candidate.name === name);
      const found: LostRun[] = [];
      for (const job of await jobsOf(cluster, namespace, `${labels.app}=${name}`)) {
        const run = runOfJob(job);
        const written = writtenOn(job);
        if (!run || laneOf(run.request.operation) === "none" || !(isOver(job) || written)) continue;
        if (await withDeadline("the outcome", config.nasTimeoutMs, () => hasOutcome(folders, run.id))) continue;
        const pod = await podOf(cluster, job);
        const isCancelled = job.metadata?.annotations?.[annotations.cancelled] !== undefined;
        const known = written ?? leftInPod(pod);
        // It has done nothing: another run was at work, or has told of it since.
        if (known?.failure && unrecorded.has(known.failure.code)) continue;
        const outcome = known ?? (isCancelled ? endOfSilent(run, app, { job, pod, nowMs: now() }) : undefined);
        found.push({ run, ...(outcome ? { outcome } : { why: howItEnded(job, pod) }) });
      }
      return found;
    },
  };
}

/** The cluster as a run sees it from its pod. */
export function clusterPlace(
  cluster: Cluster,
  config: Config,
  pod: PodIdentity & { readonly companion?: string | undefined },
): Place {
  const at = (app: string) => kubernetesOf(config, app);
  return {
    ...clusterView(cluster, config),
    ...(pod.companion !== undefined && { companion: pod.companion }),
    takeLock: (_, lane, run) => takeLease(cluster, pod, lane, run),
    canStop: ({ name }) => at(name).workload !== undefined,
    workload({ name }, { step, warn }) {
      const { namespace, workload, claim } = at(name);
      if (!workload) return noWorkload;
      return clusterWorkload(cluster, { app: name, at: { namespace, workload, claim }, step, warn });
    },
    // A Job stays until its time is over, and says itself that it has ended.
    close: async () => {},
  };
}

function kubernetesOf({ apps, path }: Config, name: string): Kubernetes {
  const app: AppConfig | undefined = apps.find((candidate) => candidate.name === name);
  if (app?.kubernetes) return app.kubernetes;
  throw new Failure("not_found", `Cannot find "${name}" on this cluster: there is no such app in "${path}"`);
}
