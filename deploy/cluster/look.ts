import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { V1Job } from "@kubernetes/client-node";
import { z } from "zod";
import { apiMessage, ask, askIfThere } from "../../shared/cluster/ask.ts";
import type { Cluster } from "../../shared/cluster/client.ts";
import { runnerContainer } from "../../shared/cluster/names.ts";
import { isOver } from "../../shared/cluster/run-job.ts";
import { eventsOf, findJob, hasBegun, podIsOver, podName } from "../../shared/cluster/seen-job.ts";
import { whyNot } from "../../shared/cluster/why-not.ts";
import { parseJson } from "../../shared/json.ts";
import { NasLook } from "../../shared/nas/look.ts";
import { lookJob, markJob } from "../manifests/look-job.ts";
import type { ClusterApp, Site } from "../manifests/site.ts";

/** How long a pod may take to begin: an image of 300 MB may have to come over a slow line. */
const beginMs = 180_000;
/** For so long what hinders a pod may pass by itself. */
const hinderedMs = 12_000;
const lookMs = 300;

/** Why nothing could be learnt, or done. */
export interface Hindered {
  readonly failed: string;
  readonly hint?: string;
}

/** What a run of the app would find of the export. */
export const lookAsApp = (cluster: Cluster, site: Site, app: ClusterApp): Promise<NasLook | Hindered> =>
  inPod(cluster, lookJob(site, app, randomBytes(3).toString("hex")), NasLook);

/** Marks the export, from a pod; undefined when that was done. */
export async function markNas(cluster: Cluster, site: Site, app: ClusterApp): Promise<Hindered | undefined> {
  const done = await inPod(cluster, markJob(site, app, randomBytes(3).toString("hex")), z.strictObject({}));
  return "failed" in done ? (done as Hindered) : undefined;
}

/** Runs a Job to its end, takes the line that it prints, and removes it. */
async function inPod<T>(cluster: Cluster, body: V1Job, schema: z.ZodType<T>): Promise<T | Hindered> {
  const { name = "", namespace = "" } = body.metadata ?? {};
  try {
    await ask(`make the Job "${name}"`, () => cluster.batch.createNamespacedJob({ namespace, body }));
  } catch (error) {
    return { failed: apiMessage(error) };
  }
  try {
    return await follow(cluster, namespace, name, schema);
  } finally {
    await askIfThere(`remove the Job "${name}"`, () =>
      cluster.batch.deleteNamespacedJob({ name, namespace, propagationPolicy: "Background" }),
    );
  }
}

async function follow<T>(
  cluster: Cluster,
  namespace: string,
  name: string,
  schema: z.ZodType<T>,
): Promise<T | Hindered> {
  const startedMs = performance.now();
  let hinderedSinceMs: number | undefined;
  for (;;) {
    const seen = await findJob(cluster, namespace, name);
    if (!seen) return { failed: `the Job "${name}" was removed while it looked` };
    const { job, pod } = seen;
    if (pod && podIsOver(pod)) {
      const log = await ask(`read the log of "${name}"`, () =>
        cluster.core.readNamespacedPodLog({ ...podName(pod), container: runnerContainer }),
      );
      const said = parseJson(log.trim().split("\n").at(-1) ?? "");
      const failed = z.object({ failed: z.string() }).safeParse(said).data;
      const parsed = schema.safeParse(said);
      return failed ?? (parsed.success ? parsed.data : { failed: `the pod said "${log.trim().slice(-300)}"` });
    }
    const hindrance = pod && hasBegun(pod) ? undefined : whyNot(job, pod, await eventsOf(cluster, seen));
    const nowMs = performance.now();
    hinderedSinceMs = hindrance ? (hinderedSinceMs ?? nowMs) : undefined;
    const isLate = nowMs - startedMs > beginMs;
    if (hindrance && (isLate || nowMs - (hinderedSinceMs ?? nowMs) > hinderedMs))
      return { failed: hindrance.why, hint: hindrance.hint };
    if (isOver(job) || isLate)
      return { failed: `no pod of the Job "${name}" has ended`, hint: "kubectl get events -A" };
    await delay(lookMs);
  }
}
