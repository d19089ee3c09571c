import type { V1ContainerStateTerminated, V1Job, V1Pod } from "@kubernetes/client-node";
import { runnerContainer } from "./names.ts";

/** Why a run that told no outcome is over, as Kubernetes knows it: "the runner needed more memory than its limit of 512Mi". */
export function howItEnded(job: V1Job | undefined, pod: V1Pod | undefined): string {
  const failed = job?.status?.conditions?.find(({ type, status }) => type === "Failed" && status === "True");
  if (failed?.reason === "DeadlineExceeded") return tookTooLong(job);
  // First: a container of a pod that was told to go was killed, too.
  const disrupted = pod && whyDisrupted(pod);
  if (disrupted) return disrupted;
  const containers = [...(pod?.status?.initContainerStatuses ?? []), ...(pod?.status?.containerStatuses ?? [])];
  for (const { name, state } of containers) {
    const ended = state?.terminated;
    if (!ended || (ended.exitCode === 0 && name !== runnerContainer)) continue;
    return howContainerEnded(name, ended, limitOf(pod, name));
  }
  if (!pod) return "its pod was deleted";
  return failed?.message ?? "its pod is over";
}

export const tookTooLong = (job: V1Job | undefined): string =>
  `it took longer than the ${job?.spec?.activeDeadlineSeconds} s that its Job may take`;

/** Who wanted a pod to go that did nothing wrong itself: a drain, a node that is gone or has no memory left. */
export function whyDisrupted({ status }: V1Pod): string | undefined {
  const about = (text: string | undefined) => (text ? ` (${text.replaceAll(/\s+/g, " ").trim().slice(0, 300)})` : "");
  const wanted = status?.conditions?.find(({ type, status }) => type === "DisruptionTarget" && status === "True");
  switch (wanted?.reason) {
    case "EvictionByEvictionAPI":
      return `its node was drained, or somebody else evicted its pod${about(wanted.message)}`;
    case "PreemptionByScheduler":
      return `a more important pod needed its room${about(wanted.message)}`;
    case "DeletionByTaintManager":
      return `its node did not answer any more, or was tainted${about(wanted.message)}`;
    case "DeletionByPodGC":
      return `its node is gone${about(wanted.message)}`;
    case "TerminationByKubelet":
      return `its node shut down, or was short of memory or disk${about(status?.message ?? wanted.message)}`;
  }
  const reason = wanted?.reason ?? status?.reason;
  return reason === undefined ? undefined : `its pod had to go: ${reason}${about(status?.message ?? wanted?.message)}`;
}

function howContainerEnded(name: string, ended: V1ContainerStateTerminated, limit: string | undefined): string {
  const which = name === runnerContainer ? "the runner" : `the container "${name}"`;
  const { reason, exitCode, signal, message } = ended;
  if (reason === "OOMKilled") {
    return `${which} needed more memory than ${limit === undefined ? "there was" : `its limit of ${limit}`}`;
  }
  if (reason === "StartError" || reason === "ContainerCannotRun")
    return `${which} could not be started: ${(message ?? reason).replaceAll(/\s+/g, " ").trim().slice(0, 300)}`;
  if (signal || exitCode > 128) return `${which} was killed (exit status ${exitCode})`;
  return `${which} ended with exit status ${exitCode}`;
}

function limitOf(pod: V1Pod | undefined, name: string): string | undefined {
  const containers = [...(pod?.spec?.initContainers ?? []), ...(pod?.spec?.containers ?? [])];
  return containers.find((container) => container.name === name)?.resources?.limits?.memory;
}
