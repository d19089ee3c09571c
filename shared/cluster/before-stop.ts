import { Failure } from "../failures.ts";
import { ask } from "./ask.ts";
import type { Cluster } from "./client.ts";
import type { LiveWorkload } from "./live-workload.ts";
import { isOver, isOwn, podSource } from "./pods.ts";
import { scalerFromZero } from "./rivals.ts";

/** @throws {Failure} When somebody would start it again by design: nothing has been touched yet. */
export async function refuseRivals(cluster: Cluster, live: LiveWorkload, app: string, withinMs: number): Promise<void> {
  const { namespace } = live;
  const list = () => cluster.autoscaling.listNamespacedHorizontalPodAutoscaler({ namespace });
  const { items } = await ask(`look for autoscalers of "${app}"`, list, { withinMs });
  const rival = scalerFromZero(items, live);
  if (!rival) return;
  throw new Failure("workload_failed", `Cannot stop "${app}": ${rival.name} would start it again at any time`, {
    hint: rival.hint,
  });
}

/** Who else has the claim is not stopped with the app: whoever restores should know. */
export async function tellOfOthers(
  cluster: Cluster,
  { namespace, podSelector }: LiveWorkload,
  claim: string | undefined,
  warn: (message: string) => void,
  withinMs: number,
): Promise<void> {
  if (claim === undefined) return;
  const list = (selector?: string) =>
    ask("look for pods with the claim", () => podSource(cluster, namespace, selector).list(), { withinMs });
  const own = new Set((await list(podSelector)).items.map(({ metadata }) => metadata?.uid));
  const others = (await list()).items.filter(
    (pod) =>
      !isOver(pod) &&
      !isOwn(pod) &&
      !own.has(pod.metadata?.uid) &&
      pod.spec?.volumes?.some(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName === claim),
  );
  if (others.length === 0) return;
  const names = others.map(({ metadata }) => `"${metadata?.name}"`).join(", ");
  warn(`The claim "${claim}" is also used by ${names}, which no run stops`);
}
