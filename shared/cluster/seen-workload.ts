import type { Cluster } from "./client.ts";
import { type LiveWorkload, liveOf, workloadSource } from "./live-workload.ts";
import { isOver, isOwn, podSource } from "./pods.ts";
import { see, type Watching } from "./seen.ts";
import { gone } from "./workload-failures.ts";

/** The workload and its pods as they are now. */
export function seeWorkload(
  cluster: Cluster,
  { kind, namespace, name, uid, podSelector }: LiveWorkload,
  watching: Watching,
) {
  const workloads = see(cluster, workloadSource(cluster, { namespace, workload: { kind, name } }), watching);
  const pods = see(cluster, podSource(cluster, namespace, podSelector), watching);
  return {
    sources: [workloads, pods],
    /** @throws {Failure} When it is not there any more, or is another one of the same name. */
    current(): LiveWorkload {
      const [item] = workloads.items ?? [];
      if (item?.metadata?.uid === uid) return liveOf(kind, item);
      throw gone(kind, name, namespace);
    },
    /** Those that may hold something open. */
    pods: () => (pods.items ?? []).filter((pod) => !isOver(pod) && !isOwn(pod)),
  };
}
