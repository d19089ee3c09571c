import type { V1Job, V1Pod } from "@kubernetes/client-node";
import { Failure } from "../failures.ts";
import { ask } from "./ask.ts";
import type { Cluster } from "./client.ts";
import { tookTooLong, whyDisrupted } from "./how-it-ended.ts";
import type { PodIdentity } from "./lease.ts";
import { annotations } from "./names.ts";

/** Of the pod's grace no more is spent on this, in ms. */
const withinMs = 3000;

/** Why a runner is told to end (SIGTERM), asked from its pod: nobody else can say so before the pod is gone. */
export async function whyAskedToEnd(cluster: Cluster, pod: PodIdentity, jobName: string): Promise<Failure> {
  const { namespace } = pod;
  const patience = { withinMs };
  const [job, ownPod] = await Promise.all([
    ask("read the own Job", () => cluster.batch.readNamespacedJob({ name: jobName, namespace }), patience),
    ask("read the own pod", () => cluster.core.readNamespacedPod({ name: pod.name, namespace }), patience),
  ]).catch(() => []);
  return reasonToEnd(job, ownPod, Date.now());
}

/** @param nowMs By the clock of the pod's node, by which nothing is decided but a word. */
export function reasonToEnd(job: V1Job | undefined, pod: V1Pod | undefined, nowMs: number): Failure {
  const hint = "Nothing was changed that was not put back.";
  if (job?.metadata?.annotations?.[annotations.cancelled] !== undefined)
    return new Failure("cancelled", "The run was cancelled", { hint });
  const { activeDeadlineSeconds = Number.POSITIVE_INFINITY } = job?.spec ?? {};
  const startedMs = Number(job?.status?.startTime ?? nowMs);
  if (nowMs - startedMs >= (activeDeadlineSeconds - 1) * 1000) {
    return new Failure("interrupted", `The run was ended: ${tookTooLong(job)}`, {
      hint: `${hint} If it needs so long, give it more time: activeDeadlineSeconds of its CronJob.`,
    });
  }
  const why = (pod && whyDisrupted(pod)) ?? "Kubernetes, or somebody by kubectl, told its pod to end";
  return new Failure("interrupted", `The run was ended: ${why}`, {
    hint: `${hint} Start it again if you still want it.`,
  });
}
