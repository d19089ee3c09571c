import type { V1Pod } from "@kubernetes/client-node";
import type { Cluster } from "./client.ts";
import { labels } from "./names.ts";
import type { Source } from "./seen.ts";

/** Pods of a namespace, all or those with these labels. */
export function podSource({ core }: Cluster, namespace: string, labelSelector?: string): Source<V1Pod> {
  const which = labelSelector === undefined ? {} : { labelSelector };
  return {
    path: `/api/v1/namespaces/${namespace}/pods`,
    ...which,
    list: () => core.listNamespacedPod({ namespace, ...which }),
  };
}

/** Whether its containers have ended for good: such a pod holds nothing open, though it may be listed for long. */
export const isOver = ({ status }: V1Pod): boolean => status?.phase === "Succeeded" || status?.phase === "Failed";

/** Whether it is the pod of a run. */
export const isOwn = ({ metadata }: V1Pod): boolean => metadata?.labels?.[labels.app] !== undefined;
