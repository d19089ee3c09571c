import type { V1Job } from "@kubernetes/client-node";
import { type Manifest, object, partOf } from "./object.ts";
import { locked, type PodSpec, program, runnerPod } from "./pod.ts";
import type { ClusterApp, Site } from "./site.ts";

/**
 * A Job that looks at the export as a run of an app has it: the same image, node, user and mount, with neither the app's
 * claim nor anything that is applied: it works before that.
 */
export const lookJob = (site: Site, app: ClusterApp, id: string): Manifest & V1Job =>
  jobOf(site, app, `keepsake-${app.name.slice(0, 40)}-look-${id}`, { app: app.name });

/**
 * A Job that marks the export, and makes the folders of apps that have none. It is root with what root needs to give folders
 * away; where the export takes root for somebody else, it is that one.
 */
export function markJob(site: Site, app: ClusterApp, id: string): Manifest & V1Job {
  const mark = site.apps.map(({ name, kubernetes: { user } }) => ({ name, user: user ?? { uid: 0, gid: 0 } }));
  const job = jobOf(site, app, `keepsake-mark-${id}`, { mark });
  const pod = job.spec?.template.spec;
  const securityContext = { ...locked, capabilities: { drop: ["ALL"], add: ["CHOWN", "DAC_OVERRIDE", "FOWNER"] } };
  return {
    ...job,
    spec: {
      ...job.spec,
      template: {
        ...job.spec?.template,
        spec: {
          ...pod,
          securityContext: { runAsUser: 0, runAsGroup: 0, seccompProfile: { type: "RuntimeDefault" } },
          containers: (pod?.containers ?? []).map((container) => ({
            ...container,
            securityContext: { ...securityContext, readOnlyRootFilesystem: true },
          })),
        },
      },
    },
  };
}

function jobOf(site: Site, app: ClusterApp, name: string, task: object): Manifest & V1Job {
  const { containers, volumes, serviceAccountName: _, ...pod } = runnerPod(site, app, undefined);
  const env = [{ name: "KEEPSAKE_LOOK", value: JSON.stringify({ nas: site.config.nas, ...task }) }];
  const kept = new Set(["export", "tmp"]);
  const of = (list: unknown) => (list as { name: string }[]).filter(({ name }) => kept.has(name));
  const spec: PodSpec = {
    ...pod,
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 1,
    containers: containers.map((runner) => ({
      ...runner,
      ...{ command: program("look"), env, volumeMounts: of(runner.volumeMounts) },
    })),
    volumes: of(volumes) as PodSpec["volumes"],
  };
  const template = { metadata: { labels: partOf }, spec };
  // Nobody has to clear it away when whoever made it cannot.
  const content = { spec: { backoffLimit: 0, activeDeadlineSeconds: 300, ttlSecondsAfterFinished: 60, template } };
  return object(["batch/v1", "Job"], name, app.kubernetes.namespace, content) as Manifest & V1Job;
}
