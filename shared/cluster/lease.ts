import { type V1Lease, V1MicroTime } from "@kubernetes/client-node";
import { Failure } from "../failures.ts";
import { parseJson } from "../json.ts";
import { type Lane, RunDescription } from "../run/description.ts";
import { busy, type Holder, type Lock } from "../run/lock.ts";
import { ask, askIfThere, isConflict } from "./ask.ts";
import type { Cluster } from "./client.ts";
import { annotations, labels, leaseName } from "./names.ts";

/** The pod that a run is in. A new pod of the same name has another uid. */
export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** How long the API may be away before a run gives up, in ms: while the machine that it is on restarts. */
const awayMs = 5 * 60_000;
/** The same when it has only its lock to give back. */
const releaseMs = 10_000;
/** How old the knowledge that the lock is held may be, in ms. */
const freshMs = 1000;

/*
 * One run per app and lane at a time, whatever starts it: a Lease (coordination.k8s.io/v1) in the app's namespace whose
 * holder is the run's pod. It does not expire: it is taken over only when the API says that this pod is not there any
 * more, or has ended. leaseTransitions counts the holders.
 */

/**
 * Takes the lock of a lane, at once or not at all. A pod that holds it already has it: its containers share the lock.
 * @throws {Failure} `app_busy`, naming who is running and since when; `cluster_unreachable`.
 */
export async function takeLease(
  cluster: Cluster,
  pod: PodIdentity,
  lane: Exclude<Lane, "none">,
  run: RunDescription,
): Promise<Lock> {
  const { namespace } = pod;
  const name = leaseName(run.app, lane);
  const me = `${pod.name}/${pod.uid}`;
  const what = `take the lock of "${run.app}"`;
  let abandoned: RunDescription | undefined;
  for (;;) {
    const found = await read(cluster, namespace, name);
    const holder = found?.spec?.holderIdentity;
    const before = found && runOf(found);
    if (found && holder && holder !== me) {
      if ((await stateOf(cluster, namespace, holder)) !== "gone") throw taken(before, holder, namespace);
      if (before?.id !== run.id) abandoned = before;
    }
    const number = (found?.spec?.leaseTransitions ?? 0) + (holder === me ? 0 : 1);
    const wanted: V1Lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: {
        ...found?.metadata,
        name,
        namespace,
        labels: { ...found?.metadata?.labels, [labels.app]: run.app },
        annotations: { ...found?.metadata?.annotations, [annotations.run]: JSON.stringify(run) },
      },
      spec: {
        holderIdentity: me,
        leaseTransitions: number,
        acquireTime: found?.spec?.acquireTime ?? new V1MicroTime(),
      },
    };
    try {
      await ask(
        what,
        () =>
          found
            ? cluster.coordination.replaceNamespacedLease({ name, namespace, body: wanted })
            : cluster.coordination.createNamespacedLease({ namespace, body: wanted }),
        { withinMs: awayMs },
      );
    } catch (error) {
      // Somebody else was quicker; or this very request had been carried out, and its answer was lost.
      if (isConflict(error)) continue;
      throw error;
    }
    return lockOf(cluster, { namespace, name, me, number, run, ...(abandoned && { abandoned }) });
  }
}

/** Who holds the lock of a lane; undefined when nobody does. A holder that is gone left its run unfinished. */
export async function leaseHolder(
  cluster: Cluster,
  namespace: string,
  app: string,
  lane: Exclude<Lane, "none">,
): Promise<Holder | undefined> {
  const found = await read(cluster, namespace, leaseName(app, lane), 5_000);
  const holder = found?.spec?.holderIdentity;
  const run = found && runOf(found);
  return holder && run ? { run, state: await stateOf(cluster, namespace, holder) } : undefined;
}

interface Held {
  readonly namespace: string;
  readonly name: string;
  readonly me: string;
  readonly number: number;
  readonly run: RunDescription;
  readonly abandoned?: RunDescription;
}

function lockOf(cluster: Cluster, { namespace, name, me, number, run, abandoned }: Held): Lock {
  let seenAtMs = performance.now();
  let looking: Promise<void> | undefined;

  const look = async () => {
    const startedMs = performance.now();
    const found = await read(cluster, namespace, name, awayMs).catch((cause) => {
      throw new Failure(
        "lock_lost",
        `Cannot go on with run "${run.id}": nobody can say whether it still holds the lock of "${run.app}": ${(cause as Error).message}`,
        { cause },
      );
    });
    if (found?.spec?.holderIdentity !== me || found.spec.leaseTransitions !== number) {
      throw new Failure(
        "lock_lost",
        `Cannot go on with run "${run.id}": another run has taken over the lock of "${run.app}"`,
      );
    }
    seenAtMs = startedMs;
  };

  return {
    number,
    ...(abandoned && { abandoned }),
    // Asked before every change, and there may be thousands of them a second. Another run gets the lock only once this
    // pod is gone: what is bounded here is how long a process goes on that was cut off from a pod deleted by force.
    async fence() {
      if (performance.now() - seenAtMs < freshMs) return;
      looking ??= look().finally(() => {
        looking = undefined;
      });
      await looking;
    },
    async release() {
      for (;;) {
        // Not for long: it is free once this pod has ended, and how the run ended is still to be told.
        const found = await read(cluster, namespace, name, releaseMs);
        if (found?.spec?.holderIdentity !== me) return;
        const { holderIdentity: _, ...spec } = found.spec;
        try {
          await ask(`release the lock of "${run.app}"`, () =>
            cluster.coordination.replaceNamespacedLease({ name, namespace, body: { ...found, spec } }),
          );
          return;
        } catch (error) {
          if (!isConflict(error)) throw error;
        }
      }
    },
  };
}

const read = (cluster: Cluster, namespace: string, name: string, withinMs = awayMs): Promise<V1Lease | undefined> =>
  askIfThere(
    `read the lock "${name}" in "${namespace}"`,
    () => cluster.coordination.readNamespacedLease({ name, namespace }),
    { withinMs },
  );

/** @param holder "<pod>/<uid>" */
async function stateOf(cluster: Cluster, namespace: string, holder: string): Promise<"alive" | "gone"> {
  const [name = "", uid] = holder.split("/");
  const pod = await askIfThere(
    `look at the pod "${name}" in "${namespace}"`,
    () => cluster.core.readNamespacedPod({ name, namespace }),
    { withinMs: 5_000 },
  );
  const { phase } = pod?.status ?? {};
  return pod?.metadata?.uid === uid && phase !== "Succeeded" && phase !== "Failed" ? "alive" : "gone";
}

/** One that was damaged by hand names no run. */
const runOf = ({ metadata }: V1Lease): RunDescription | undefined =>
  RunDescription.safeParse(parseJson(metadata?.annotations?.[annotations.run] ?? "")).data;

function taken(run: RunDescription | undefined, holder: string, namespace: string): Failure {
  const [pod] = holder.split("/");
  const hint = `Its pod is "${pod}" in "${namespace}". If that is stuck on a node that is gone for good: kubectl delete pod -n ${namespace} ${pod} --force`;
  if (run) return busy(run, `Wait for it, or: make cancel-${run.app}. ${hint}`);
  return new Failure("app_busy", `Cannot start: the pod "${pod}" is at work`, { hint });
}
