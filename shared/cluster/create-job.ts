import type { AppConfig } from "../config.ts";
import { Failure } from "../failures.ts";
import type { RunDescription } from "../run/description.ts";
import { apiMessage, ask, isConflict, isInvalid, isNotFound } from "./ask.ts";
import type { Cluster } from "./client.ts";
import { cronJobName } from "./names.ts";
import { jobOf } from "./run-job.ts";
import { findJob } from "./seen-job.ts";
import type { Kubernetes } from "./settings.ts";

export interface AppOnCluster extends AppConfig {
  readonly kubernetes: Kubernetes;
}

/**
 * Makes the Job of a run from the CronJob that belongs to it, once for ever.
 * @returns Whether this call made it.
 * @throws {Failure} `job_cannot_start` without that CronJob, `cluster_refused` by a policy, a quota or a role.
 */
export async function createJob(cluster: Cluster, app: AppOnCluster, run: RunDescription): Promise<boolean> {
  const { namespace } = app.kubernetes;
  const name = cronJobName(run.app, app.type.jobShape?.(run.request.operation, app.settings));
  for (;;) {
    const cronJob = await ask(`read the CronJob "${name}" in "${namespace}"`, () =>
      cluster.batch.readNamespacedCronJob({ name, namespace }),
    ).catch((cause) => {
      if (!isNotFound(cause)) throw cause;
      const message = `Cannot start: the CronJob "${name}" is wanted in "${namespace}", is not there`;
      throw new Failure("job_cannot_start", message, { cause, hint: "It is what runs are made from: make deploy" });
    });
    const job = jobOf(cronJob, run);
    try {
      await ask(`create the Job of run "${run.id}"`, () => cluster.batch.createNamespacedJob({ namespace, body: job }));
      return true;
    } catch (cause) {
      if (isConflict(cause)) {
        // A quota that somebody else was just counted in is a conflict, too, and makes no Job.
        if (await findJob(cluster, namespace, job.metadata?.name ?? "")) return false;
        continue;
      }
      if (!isInvalid(cause)) throw cause;
      throw new Failure("cluster_refused", `Cannot start: the cluster refuses the Job: ${apiMessage(cause)}`, {
        cause,
        hint: "make doctor compares the CronJobs and the policies; make deploy puts them right.",
      });
    }
  }
}
