import type { V1Node, V1Pod } from "@kubernetes/client-node";
import { Failure } from "../failures.ts";
import type { Workload } from "../run/workload.ts";
import type { Step } from "../step.ts";
import { ask, isConflict } from "./ask.ts";
import { refuseRivals, tellOfOthers } from "./before-stop.ts";
import type { Cluster } from "./client.ts";
import { type Guard, guardStopped } from "./guard-stopped.ts";
import {
  annotate,
  inWords,
  type LiveWorkload,
  listWorkloads,
  nameOf,
  onlyOne,
  scale,
  type WorkloadPlace,
} from "./live-workload.ts";
import { restartsOf, whyItStays, whyNotReady } from "./pod-words.ts";
import { until, type Watching } from "./seen.ts";
import { seeWorkload } from "./seen-workload.ts";
import { markText, readMark, type StoppedMark, stoppedAnnotation } from "./stopped-mark.ts";
import { away, fought, notReady, ofWorkload } from "./workload-failures.ts";

export interface ClusterWorkloadOptions {
  readonly app: string;
  readonly at: WorkloadPlace & { readonly claim?: string | undefined };
  readonly step: Step;
  readonly warn: (message: string) => void;
  readonly now?: () => number;
  readonly limits?: Partial<typeof usualLimits>;
}

/** In ms. */
const usualLimits = {
  /** How long the API may be away: while the machine that it is on restarts. */
  away: 5 * 60_000,
  /** How much longer pods may take to go than they say that they take. */
  goneBeyondGrace: 60_000,
  /** How long the app may take to be ready; what its workload says when absent. */
  ready: undefined as number | undefined,
  /** How long a server without a readiness probe has to stay up: it counts as ready as soon as it was started. */
  steady: 5000,
};

/** Kubernetes' own default (`terminationGracePeriodSeconds`). */
const usualGraceSeconds = 30;
/** Somebody who changes the workload all the time does not do so so often. */
const conflictsMost = 20;

/**
 * A Deployment or StatefulSet that is stopped by scaling it to zero. How many pods it had is written on itself before
 * that, so whoever comes next can bring it back. It has stopped when no pod of it is there any more.
 */
export function clusterWorkload(cluster: Cluster, options: ClusterWorkloadOptions): Workload {
  const { app, at, step, warn, now = Date.now } = options;
  const limits = { ...usualLimits, ...options.limits };
  /** What this run has stopped: an annotation can be taken away by others. */
  let own: { uid: string; mark: StoppedMark } | undefined;
  let guard: Guard | undefined;

  const find = () => ofWorkload(() => listWorkloads(cluster, at, limits.away));
  const change = <T>(what: string, request: () => Promise<T>) =>
    step(what, () => ask(what, request, { withinMs: limits.away }));
  const markOf = ({ annotations, uid }: LiveWorkload): StoppedMark | undefined => {
    const mark = readMark(annotations);
    if (mark !== undefined && mark !== "damaged") return mark;
    return own?.uid === uid ? own.mark : undefined;
  };
  const endGuard = () => {
    guard?.end();
    guard = undefined;
  };

  /** Writes down how it is, so that it survives whatever happens next. */
  async function remember(runId: string): Promise<LiveWorkload> {
    for (let conflicts = 0; ; conflicts += 1) {
      const live = onlyOne(await find(), at, app);
      const before = markOf(live);
      if (!before && live.replicas === 0)
        warn(`${app} was at zero replicas before this run, and nothing of Keepsake had stopped it: it stays there`);
      const mark = { replicas: live.replicas, at: new Date(now()).toISOString(), ...before, runId };
      own = { uid: live.uid, mark };
      if (before?.runId === runId && live.annotations[stoppedAnnotation] === markText(mark)) return live;
      const what = `write down on ${nameOf(live)} that it has ${mark.replicas} replicas`;
      try {
        return await change(what, () => annotate(cluster, live, stoppedAnnotation, markText(mark)));
      } catch (error) {
        if (!isConflict(error) || conflicts >= conflictsMost) throw error;
      }
    }
  }

  async function untilGone(live: LiveWorkload, signal: AbortSignal | undefined): Promise<void> {
    let pods: readonly V1Pod[] = [];
    const grace = live.template.spec?.terminationGracePeriodSeconds ?? usualGraceSeconds;
    const waited = await until(
      (watching) => {
        const seen = seeWorkload(cluster, live, watching);
        return {
          sources: seen.sources,
          decide() {
            const current = seen.current();
            if (current.replicas > 0) throw fought(app, "stopped", current);
            pods = seen.pods();
            return current.present === 0 && pods.length === 0 ? true : undefined;
          },
        };
      },
      { withinMs: grace * 1000 + limits.goneBeyondGrace, awayMs: limits.away, ...(signal && { signal }) },
    );
    if ("result" in waited) return;
    if (waited.over === "away") throw away(`stop "${app}"`, waited.error);
    const [first] = pods;
    if (!first) {
      throw new Failure(
        "workload_failed",
        `Cannot stop "${app}": nothing in the cluster has looked at ${nameOf(live)}`,
        {
          hint: "See whether kube-controller-manager runs; on k3s it is part of the server.",
        },
      );
    }
    const { why, hint } = whyItStays(first, await nodeOf(cluster, first), now());
    const others = pods.length === 1 ? "" : `, and ${pods.length - 1} more`;
    throw new Failure("workload_failed", `Cannot stop "${app}": ${why}${others}`, { hint });
  }

  async function bringBack(live: LiveWorkload, { replicas }: StoppedMark): Promise<void> {
    if (replicas === 0) return;
    if (live.replicas === 0) await change(`scale ${nameOf(live)} to ${replicas}`, () => scale(cluster, live, replicas));
    let trouble: string | undefined;
    // A pod that has crashed before may stand there until one of a mended template is ready.
    const restartsBefore = new Map<string, number>();
    const waited = await until(
      (watching) => {
        const seen = seeWorkload(cluster, live, watching);
        const isSteady = steadiness(limits.steady, watching);
        return {
          sources: seen.sources,
          decide() {
            const current = seen.current();
            if (current.replicas === 0) throw fought(app, "started", current);
            if (current.ready >= current.replicas) return isSteady(seen.pods()) || undefined;
            for (const pod of seen.pods()) {
              const uid = pod.metadata?.uid ?? "";
              if (!restartsBefore.has(uid)) restartsBefore.set(uid, restartsOf(pod));
            }
            const found = whyNotReady(seen.pods(), restartsBefore);
            trouble = found?.why ?? current.trouble ?? "no pod of it was made";
            if (found?.isHopeless) throw notReady(app, live, trouble);
            return undefined;
          },
        };
      },
      // The run's own end is no reason to leave it half way up.
      { withinMs: limits.ready ?? live.readyWithinMs, awayMs: limits.away },
    );
    if ("result" in waited) return;
    if (waited.over === "away") throw away(`start "${app}"`, waited.error);
    throw notReady(app, live, trouble ?? "nothing is known of it");
  }

  return {
    async stoppedBy() {
      const found = await find();
      const damaged = found.find(({ annotations }) => readMark(annotations) === "damaged");
      if (damaged) {
        warn(
          `The annotation ${stoppedAnnotation} of ${nameOf(damaged)} cannot be read, so nobody knows how many pods it had. Scale it, then: kubectl annotate ${damaged.kind.toLowerCase()} ${damaged.name} -n ${damaged.namespace} ${stoppedAnnotation}-`,
        );
      }
      return found.map(markOf).find((mark) => mark !== undefined)?.runId;
    },

    stop: (runId, signal) =>
      ofWorkload(async () => {
        endGuard();
        const found = onlyOne(await find(), at, app);
        await refuseRivals(cluster, found, app, limits.away);
        await tellOfOthers(cluster, found, at.claim, warn, limits.away);
        const live = await remember(runId);
        if (live.replicas > 0) await change(`scale ${nameOf(live)} to 0`, () => scale(cluster, live, 0));
        await untilGone(live, signal);
        guard = guardStopped(cluster, app, live);
      }),

    start: () =>
      ofWorkload(async () => {
        const wasGuarded = guard !== undefined;
        endGuard();
        const found = await find();
        // The guard hears of it a moment after it is so, and there may have been no change since that asked it.
        const started = found.find(({ uid, replicas }) => wasGuarded && uid === own?.uid && replicas > 0);
        if (started) throw fought(app, "stopped", started);
        if (own && !found.some(({ uid }) => uid === own?.uid)) {
          throw new Failure("workload_failed", `Cannot start "${app}": its ${inWords(at)} was deleted meanwhile`, {
            hint: "Install it again, as with helm upgrade --install; its data is there.",
          });
        }
        for (const live of found) {
          const mark = markOf(live);
          if (mark) await bringBack(live, mark);
        }
      }),

    release: () =>
      ofWorkload(async () => {
        endGuard();
        own = undefined;
        for (let conflicts = 0; ; conflicts += 1) {
          try {
            for (const live of await find()) {
              const mark = readMark(live.annotations);
              // One at zero that nobody can read goes on being told of.
              if (mark === undefined || (mark === "damaged" && live.replicas === 0)) continue;
              const what = `forget on ${nameOf(live)} that it was stopped`;
              await change(what, () => annotate(cluster, live, stoppedAnnotation, null));
            }
            return;
          } catch (error) {
            if (!isConflict(error) || conflicts >= conflictsMost) throw error;
          }
        }
      }),

    fence: () => guard?.check(),
  };
}

/** Whether a run has stopped the app and not brought it back. */
export async function isStoppedOnCluster(cluster: Cluster, at: WorkloadPlace): Promise<boolean> {
  const found = await listWorkloads(cluster, at, 0);
  return found.some(({ annotations }) => readMark(annotations) !== undefined);
}

/** Tells whether these pods are up, and have been for so long where nothing but time tells. */
function steadiness(steadyMs: number, { signal, onChange }: Watching): (pods: readonly V1Pod[]) => boolean {
  let sameSince = { key: "", at: 0 };
  return (pods) => {
    const unproven = pods.filter(({ spec }) => spec?.containers.some(({ readinessProbe }) => !readinessProbe));
    if (unproven.length === 0) return true;
    const key = pods
      .map(({ metadata, status }) => `${metadata?.uid} ${status?.containerStatuses?.map((one) => one.restartCount)}`)
      .sort()
      .join();
    const now = performance.now();
    if (sameSince.key !== key) {
      sameSince = { key, at: now };
      setTimeout(() => signal.aborted || onChange(), steadyMs + 1);
    }
    return now - sameSince.at >= steadyMs;
  };
}

/** Not everybody may look at nodes. */
const nodeOf = (cluster: Cluster, { spec }: V1Pod): Promise<V1Node | undefined> =>
  spec?.nodeName === undefined
    ? Promise.resolve(undefined)
    : cluster.core.readNode({ name: spec.nodeName }).catch(() => undefined);
