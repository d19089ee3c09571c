import type { V1Job, V1Pod } from "@kubernetes/client-node";
import { runnerContainer } from "./names.ts";

/** Why a run that told no outcome is over, as Kubernetes knows it: "its memory limit of 512Mi was reached". */
export function howItEnded(job: V1Job | undefined, pod: V1Pod | undefined): string {
  const failed = job?.status?.conditions?.find(({ type, status }) => type === "Failed" && status === "True");
  if (failed?.reason === "DeadlineExceeded")
    return `it took longer than the ${job?.spec?.activeDeadlineSeconds} s that its Job may take`;
  const containers = [...(pod?.status?.initContainerStatuses ?? []), ...(pod?.status?.containerStatuses ?? [])];
  for (const { name, state } of containers) {
    const ended = state?.terminated;
    if (!ended || (ended.exitCode === 0 && name !== runnerContainer)) continue;
    const which = name === runnerContainer ? "the runner" : `the container "${name}"`;
    if (ended.reason === "OOMKilled") return `${which} needed more memory than ${limitOf(pod, name)}`;
    if (ended.signal || ended.exitCode > 128) return `${which} was killed (exit status ${ended.exitCode})`;
    return `${which} ended with exit status ${ended.exitCode}`;
  }
  const { reason, message } = pod?.status ?? {};
  if (reason) return `its pod is over: ${reason}${message ? `, ${message}` : ""}`;
  if (!pod) return "its pod was deleted";
  return failed?.message ?? "its pod is over";
}

function limitOf(pod: V1Pod | undefined, name: string): string {
  const containers = [...(pod?.spec?.initContainers ?? []), ...(pod?.spec?.containers ?? [])];
  const limit = containers.find((container) => container.name === name)?.resources?.limits?.memory;
  return limit === undefined ? "there was" : `its limit of ${limit}`;
}
