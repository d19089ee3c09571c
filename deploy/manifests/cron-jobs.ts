import { cronJobName, labels } from "../../shared/cluster/names.ts";
import type { NodeRules } from "./node-rules.ts";
import { type Manifest, object, partOf } from "./object.ts";
import { runnerPod } from "./pod.ts";
import { shaped, shapesOf } from "./shapes.ts";
import type { ClusterApp, Site } from "./site.ts";

/** How long a run may take: a copy of everything over a slow line. A render has as long again before it. */
const deadlineSeconds = 6 * 3600;

/** How long a Job that has ended can be looked at. */
const keepSeconds = 3 * 86_400;

/**
 * The suspended CronJobs that runs are made from. Their schedule never counts: when things run, stack.yml says.
 * @param rules By app: where its workload's pods may run now. What the settings say when absent.
 */
export function cronJobs(site: Site, rules: ReadonlyMap<string, NodeRules>): Manifest[] {
  return site.apps.flatMap((app) =>
    shapesOf(app).map((shape) => {
      const ownLabels = { [labels.app]: app.name };
      const pod = shaped(site, app, shape, runnerPod(site, app, rules.get(app.name)));
      const spec = {
        schedule: "0 0 1 1 *",
        suspend: true,
        concurrencyPolicy: "Allow",
        jobTemplate: {
          metadata: { labels: { ...partOf, ...ownLabels } },
          spec: {
            // A run that failed is not tried again: the next one mends what it left.
            backoffLimit: 0,
            activeDeadlineSeconds: shape === "render" ? 2 * deadlineSeconds : deadlineSeconds,
            ttlSecondsAfterFinished: keepSeconds,
            template: { metadata: { labels: { ...partOf, ...ownLabels } }, spec: pod },
          },
        },
      };
      return object(["batch/v1", "CronJob"], cronJobName(app.name, shape), namespaceOf(app), { spec }, ownLabels);
    }),
  );
}

const namespaceOf = (app: ClusterApp) => app.kubernetes.namespace;
