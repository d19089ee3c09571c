import type { CoreV1Event, V1Job, V1Pod } from "@kubernetes/client-node";
import type { RunDescription } from "../run/description.ts";
import { ask, askIfThere } from "./ask.ts";
import type { Cluster } from "./client.ts";
import { runnerContainer } from "./names.ts";

/** A Job, and its pod if it has one yet. */
export interface SeenJob {
  readonly job: V1Job;
  readonly pod?: V1Pod;
}

/** The Job of a run. */
export interface RunInJob extends SeenJob {
  readonly run: RunDescription;
}

export const podName = ({ metadata }: V1Pod) => ({
  namespace: metadata?.namespace ?? "",
  name: metadata?.name ?? "",
});

export async function findJob(cluster: Cluster, namespace: string, name: string): Promise<SeenJob | undefined> {
  const job = await askIfThere(`read the Job "${name}" in "${namespace}"`, () =>
    cluster.batch.readNamespacedJob({ name, namespace }),
  );
  if (!job) return undefined;
  const pod = await podOf(cluster, job);
  return { job, ...(pod && { pod }) };
}

/** Its one pod: it is not tried again. */
export async function podOf(cluster: Cluster, { metadata }: V1Job): Promise<V1Pod | undefined> {
  const { namespace = "", name, uid } = metadata ?? {};
  const { items } = await ask(`list the pods of the Job "${name}"`, () =>
    cluster.core.listNamespacedPod({ namespace, labelSelector: `batch.kubernetes.io/job-name=${name}` }),
  );
  return items.find((pod) => pod.metadata?.ownerReferences?.some((owner) => owner.uid === uid));
}

/** Newest first. */
export async function jobsOf(cluster: Cluster, namespace: string, labelSelector: string): Promise<V1Job[]> {
  const { items } = await ask(`list Jobs in "${namespace}"`, () =>
    cluster.batch.listNamespacedJob({ namespace, labelSelector }),
  );
  const madeAt = ({ metadata }: V1Job) => Number(metadata?.creationTimestamp ?? 0);
  return items.sort((a, b) => madeAt(b) - madeAt(a));
}

/** What happened to a Job and its pod. */
export async function eventsOf(cluster: Cluster, { job, pod }: SeenJob): Promise<CoreV1Event[]> {
  const { namespace = "", name } = (pod ?? job).metadata ?? {};
  const { items } = await ask(`list events in "${namespace}"`, () =>
    cluster.core.listNamespacedEvent({ namespace, fieldSelector: `involvedObject.name=${name}` }),
  );
  return items;
}

/** Whether its runner runs, or has run. */
export function hasBegun({ status }: V1Pod): boolean {
  const state = status?.containerStatuses?.find(({ name }) => name === runnerContainer)?.state;
  return Boolean(state?.running ?? state?.terminated);
}

export const podIsOver = (pod: V1Pod | undefined): boolean =>
  pod?.status?.phase === "Succeeded" || pod?.status?.phase === "Failed";
