import type { V1ContainerStatus, V1Node, V1Pod } from "@kubernetes/client-node";
import { count } from "../words.ts";

/** How often a container is started anew before it is taken for one that does not come up. */
const crashesMost = 3;

/**
 * Why a pod that was to go is still there, for people, and what they can do.
 * @param node The node that it is on, when it may be looked at.
 */
export function whyItStays(pod: V1Pod, node: V1Node | undefined, nowMs: number): { why: string; hint: string } {
  const { name = "", namespace = "", finalizers = [], deletionTimestamp, ownerReferences = [] } = pod.metadata ?? {};
  const where = pod.spec?.nodeName;
  const look = `kubectl describe pod ${name} -n ${namespace}`;
  if (deletionTimestamp === undefined) {
    const [owner] = ownerReferences.filter(({ controller }) => controller);
    const whose = owner ? `${owner.kind} "${owner.name}" keeps it` : "nothing controls it";
    return { why: `pod "${name}" was not told to end: ${whose}`, hint: `Scale that down, or: ${look}` };
  }
  const ready = node?.status?.conditions?.find(({ type }) => type === "Ready");
  if (node && ready?.status !== "True") {
    return {
      why: `pod "${name}" is on node "${where}", which is not ready, so nobody knows whether it still runs`,
      hint: `Bring the node back. If it is gone for good: kubectl delete node ${where}`,
    };
  }
  const runs = (pod.status?.containerStatuses ?? []).filter(({ state }) => state?.running).map(({ name }) => name);
  if (runs.length === 0 && finalizers.length > 0) {
    return {
      why: `pod "${name}" has ended, and is held by the finalizer ${finalizers.join(", ")}`,
      hint: `Whoever set it has to remove it: ${look}`,
    };
  }
  // It is the moment at which its time is over.
  const lateSeconds = Math.round((nowMs - new Date(deletionTimestamp).getTime()) / 1000);
  const grace = pod.metadata?.deletionGracePeriodSeconds ?? 0;
  const since =
    lateSeconds < 0
      ? `has ${count(-lateSeconds, "second")} of ${grace} left`
      : `should have ended ${lateSeconds} s ago`;
  return { why: `pod "${name}" on node "${where}" is ending, and ${since}`, hint: look };
}

/**
 * Why an app is not ready yet, for people; `isHopeless` when it will not be without somebody's help.
 * @param restartsBefore By a pod's uid: those do not count, for somebody may have helped since.
 */
export function whyNotReady(
  pods: readonly V1Pod[],
  restartsBefore: ReadonlyMap<string, number> = new Map(),
): { why: string; isHopeless: boolean } | undefined {
  for (const pod of pods.filter(({ metadata }) => metadata?.deletionTimestamp === undefined)) {
    const name = `pod "${pod.metadata?.name}"`;
    const scheduled = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
    if (scheduled?.status === "False")
      return { why: `${name} finds no node: ${scheduled.message ?? scheduled.reason}`, isHopeless: false };
    const containers = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
    for (const container of containers) {
      const trouble = whyContainer(container);
      if (!trouble) continue;
      const restarts = restartsOf(pod) - (restartsBefore.get(pod.metadata?.uid ?? "") ?? 0);
      const isHopeless = trouble.isHopeless && restarts >= crashesMost;
      return { why: `${name}: ${trouble.why}`, isHopeless };
    }
    const ready = pod.status?.conditions?.find(({ type }) => type === "Ready");
    if (ready?.status !== "True" && pod.status?.phase === "Running")
      return { why: `${name} runs, and its readiness probe does not say that it is ready`, isHopeless: false };
    if (ready?.status !== "True")
      return { why: `${name} is ${pod.status?.phase ?? "not there yet"}`, isHopeless: false };
  }
  return undefined;
}

/** Of all its containers. */
export const restartsOf = ({ status }: V1Pod): number =>
  [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].reduce(
    (sum, { restartCount }) => sum + restartCount,
    0,
  );

function whyContainer({ name, state, lastState, restartCount, ready }: V1ContainerStatus) {
  const { waiting, running } = state ?? {};
  const ended = state?.terminated ?? lastState?.terminated;
  const isHopeless = restartCount >= crashesMost && running === undefined;
  // Also while it is up for a moment between two crashes.
  if (waiting?.reason === "CrashLoopBackOff" || (ended && ended.exitCode !== 0 && !ready)) {
    const how = ended?.reason === "OOMKilled" ? "out of memory" : `exit status ${ended?.exitCode}`;
    return { why: `container "${name}" ends again and again, last with ${how} (${restartCount} restarts)`, isHopeless };
  }
  const isNormal = ["ContainerCreating", "PodInitializing"].includes(waiting?.reason ?? "ContainerCreating");
  if (!waiting || isNormal) return undefined;
  return { why: `container "${name}" waits: ${waiting.reason} ${waiting.message ?? ""}`.trim(), isHopeless: false };
}
