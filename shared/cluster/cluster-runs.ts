import { setTimeout as delay } from "node:timers/promises";
import type { AppConfig, Config } from "../config.ts";
import { Failure } from "../failures.ts";
import { parseJson } from "../json.ts";
import type { Logger } from "../log.ts";
import { withDeadline } from "../nas/deadline.ts";
import { openNas } from "../nas/nas.ts";
import type { Operation } from "../run/description.ts";
import { readOutcome } from "../run/outbox.ts";
import { type Outcome, type Progress, RunLine } from "../run/report.ts";
import type { FoundRun, Runs } from "../run/runs.ts";
import { ask, isConflict, isNotFound } from "./ask.ts";
import { type Cluster, fieldManager, mergePatch } from "./client.ts";
import { type AppOnCluster, createJob } from "./create-job.ts";
import { followJob, unlessAway } from "./follow-job.ts";
import { annotations, jobName, labels } from "./names.ts";
import { endOfHindered, endOfSilent, leftInPod, writtenOn } from "./run-end.ts";
import { isOver, runOfJob } from "./run-job.ts";
import { runnerLog } from "./run-log.ts";
import { eventsOf, findJob, hasBegun, jobsOf, podIsOver, podName, type RunInJob, type SeenJob } from "./seen-job.ts";
import { whyNot } from "./why-not.ts";

export interface ClusterRunsOptions {
  readonly cluster: Cluster;
  readonly config: Config;
  /** Tells how a run ended that no runner could tell of. Rejects when it could not be told. */
  readonly tell: (outcome: Outcome) => Promise<void>;
  readonly log: Logger;
  readonly now?: () => number;
  /** How long something may be in the way of a pod before the run is given up, in ms. */
  readonly patienceMs?: number;
  /** A log that has told nothing for so long is opened again: the connection may be one that nobody cuts. In ms. */
  readonly silentMs?: number;
}

/** Runs as Jobs. What has to be seen to is done while this process lives. */
export interface ClusterRuns extends Runs {
  /** Whether a run that was started here has not begun yet: if it cannot, that is still to be told. */
  isSeeingTo(): boolean;
}

/** Lines from the end of a log in which the last progress, or the outcome, stands. */
const tailLines = 20;

/** Runs as Jobs of a cluster, each made from a suspended CronJob in its app's namespace. */
export function clusterRuns(options: ClusterRunsOptions): ClusterRuns {
  const { cluster, config, tell, log, now = Date.now, patienceMs = 45_000, silentMs = 60_000 } = options;
  const appOf = (name: string): AppOnCluster => {
    const app = config.apps.find((candidate) => candidate.name === name);
    if (app?.kubernetes) return { ...app, kubernetes: app.kubernetes };
    throw new Failure("not_found", `Cannot run: there is no app "${name}" on this cluster`);
  };

  /** The apps that a run of this id can be of: it begins with its function, and a child's ends with its app. */
  const appsOf = (id: string): readonly AppConfig[] => {
    const ofType = config.apps.filter(({ type }) => id.includes(`-${type.type}-`));
    const named = ofType.filter(({ name }) => id.endsWith(`.${name}`));
    return [named, ofType, config.apps].find((apps) => apps.length > 0) ?? [];
  };

  const see = async (id: string): Promise<RunInJob | undefined> => {
    for (const { name, kubernetes } of appsOf(id)) {
      if (!kubernetes) continue;
      const seen = await findJob(cluster, kubernetes.namespace, jobName(name, id));
      const run = seen && runOfJob(seen.job);
      if (seen && run?.id === id) return { ...seen, run };
    }
    return undefined;
  };

  /** What the log tells, as far as there is one. */
  const lastLines = async ({ pod }: SeenJob): Promise<{ progress?: Progress; outcome?: Outcome }> => {
    if (!pod || !hasBegun(pod)) return {};
    const found: { progress?: Progress; outcome?: Outcome } = {};
    try {
      for await (const text of runnerLog(cluster, podName(pod), { tailLines, signal: AbortSignal.timeout(5000) })) {
        const line = RunLine.safeParse(parseJson(text)).data;
        if (line?.type === "progress") found.progress = line;
        if (line?.type === "outcome") found.outcome = line;
      }
    } catch (error) {
      log.debug({ err: error }, "the log of a run cannot be read");
    }
    return found;
  };

  /** How it ended, by whoever knows it first; undefined while it runs. */
  const outcomeOf = async (seen: RunInJob, told?: Outcome): Promise<Outcome | undefined> => {
    const { job, pod, run } = seen;
    const known = told ?? writtenOn(job) ?? leftInPod(pod);
    if (known) return known;
    // A pod that was deleted takes its log along; its runner has written the outcome down by then.
    if (!isOver(job) && !podIsOver(pod)) return undefined;
    const folders = openNas(config.nas).app(run.app);
    const recorded = await withDeadline("the outcome", config.nasTimeoutMs, () => readOutcome(folders, run.id)).catch(
      (error) => void log.warn({ err: error, run: run.id }, "the NAS cannot be asked how a run ended"),
    );
    return recorded ?? endOfSilent(run, appOf(run.app), { job, pod, nowMs: now() });
  };

  const find = async (id: string): Promise<FoundRun | undefined> => {
    const seen = await see(id);
    if (!seen) return findRecorded(id);
    const { progress, outcome: told } = await lastLines(seen);
    const outcome = (await outcomeOf(seen, told)) ?? (await giveUpIfHindered(seen));
    return { run: seen.run, ...(progress && { progress }), ...(outcome && { outcome }) };
  };

  /** By the record on the NAS, which stays longer than the Job. */
  const findRecorded = async (id: string): Promise<FoundRun | undefined> => {
    const found = await withDeadline("the outcome", config.nasTimeoutMs, async () => {
      for (const { name } of appsOf(id)) {
        const outcome = await readOutcome(openNas(config.nas).app(name), id);
        if (outcome) return outcome;
      }
    }).catch((error) => void log.warn({ err: error, run: id }, "the NAS cannot be asked for a run"));
    if (!found) return undefined;
    const { app, startedAt, startedBy, operation } = found;
    const request = { operation: operation as Operation };
    return { run: { id, function: found.function, app, startedAt, startedBy, request }, outcome: found };
  };

  /**
   * Ends a run whose pod has not begun though it had time, and tells why: no runner ever will.
   * @returns undefined when nothing is in its way, or when it has begun meanwhile.
   */
  const giveUpIfHindered = async (seen: RunInJob): Promise<Outcome | undefined> => {
    const { job, pod, run } = seen;
    const written = writtenOn(job);
    if (written) return written;
    const ageMs = now() - Number(job.metadata?.creationTimestamp ?? now());
    if (ageMs < patienceMs || (pod && hasBegun(pod))) return undefined;
    const hindrance = whyNot(job, pod, await eventsOf(cluster, seen));
    if (!hindrance) return undefined;
    const outcome = endOfHindered(run, appOf(run.app), hindrance, now());
    const ended = await patchJob(seen, { [annotations.outcome]: JSON.stringify(outcome) });
    if (!ended) return undefined;
    // Written down first: whoever dies now leaves it to others, who find it there.
    await tellWritten(seen, outcome);
    return outcome;
  };

  const tellWritten = (seen: SeenJob, outcome: Outcome): Promise<void> =>
    tell(outcome)
      .then(async () => void (await patchJob(seen, { [annotations.told]: new Date(now()).toISOString() }, told)))
      .catch((error) => log.warn({ err: error, run: outcome.runId }, "how a run ended could not be told; it waits"));

  /** Ends a Job as its deadline would: its pod is asked to end, and no other is made. @returns Whether it was as seen. */
  const patchJob = async (
    { job }: SeenJob,
    notes: Record<string, string>,
    { unconditional }: { unconditional: boolean } = { unconditional: false },
  ): Promise<boolean> => {
    const { name = "", namespace = "", resourceVersion } = job.metadata ?? {};
    const metadata = { annotations: notes, ...(!unconditional && { resourceVersion }) };
    try {
      await ask(`end the Job "${name}"`, () =>
        cluster.batch.patchNamespacedJob(
          { namespace, name, body: { metadata, spec: { activeDeadlineSeconds: 1 } }, fieldManager },
          mergePatch,
        ),
      );
      return true;
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return false;
      throw error;
    }
  };

  let beginning = 0;

  return {
    find,
    isSeeingTo: () => beginning > 0,

    async start(run) {
      const isFirst = await createJob(cluster, appOf(run.app), run);
      // Whoever asked may be gone by then; that it cannot begin is told all the same.
      beginning += 1;
      void untilBegun(run.id)
        .catch((error) => log.warn({ err: error, run: run.id }, "a run's beginning was not seen"))
        .finally(() => {
          beginning -= 1;
        });
      return isFirst;
    },

    async active(app, lane) {
      const { namespace } = appOf(app).kubernetes;
      const jobs = await jobsOf(cluster, namespace, `${labels.app}=${app},${labels.lane}=${lane}`);
      for (const job of jobs) {
        const run = runOfJob(job);
        const written = writtenOn(job);
        // Of a run that cannot begin; NATS was away when that was found out, and no other run would tell it.
        if (written && job.metadata?.annotations?.[annotations.told] === undefined) await tellWritten({ job }, written);
        if (!run || written || isOver(job)) continue;
        const found = await find(run.id);
        if (found && !found.outcome) return run;
      }
      return undefined;
    },

    follow: (id, { after = 0, signal }) => followJob(id, after, { cluster, see, find, silentMs, log, signal }),

    async cancel(id) {
      for (;;) {
        const seen = await see(id);
        if (!seen || (await find(id))?.outcome) return false;
        if (await patchJob(seen, { [annotations.cancelled]: new Date(now()).toISOString() })) return true;
      }
    },
  };

  async function untilBegun(id: string): Promise<void> {
    for (const until = now() + 2 * patienceMs; now() < until; await delay(1000)) {
      const seen = await unlessAway(see(id));
      if (seen === "away") continue;
      if (!seen || (seen.pod && hasBegun(seen.pod)) || isOver(seen.job)) return;
      if ((await unlessAway(giveUpIfHindered(seen).then(Boolean))) === true) return;
    }
  }
}

/** Whatever has changed on the Job meanwhile. */
const told = { unconditional: true };
