import type { V1CronJob, V1Job } from "@kubernetes/client-node";
import { parseJson } from "../json.ts";
import { laneOf, RunDescription } from "../run/description.ts";
import { annotations, jobName, labels } from "./names.ts";

/** The Job of a run, made from its CronJob as `kubectl create job --from` does, with the run written on it. */
export function jobOf(cronJob: V1CronJob, run: RunDescription): V1Job {
  const { name, namespace, uid } = cronJob.metadata ?? {};
  const { metadata, spec } = cronJob.spec?.jobTemplate ?? {};
  const lane = { [labels.lane]: laneOf(run.request.operation) };
  const written = { [annotations.run]: JSON.stringify(run) };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: jobName(run.app, run.id),
      ...(namespace !== undefined && { namespace }),
      labels: { ...metadata?.labels, ...lane },
      annotations: { ...metadata?.annotations, "cronjob.kubernetes.io/instantiate": "manual", ...written },
      // Not its controller: a CronJob clears away the Jobs that it controls.
      ownerReferences: [{ apiVersion: "batch/v1", kind: "CronJob", name: name ?? "", uid: uid ?? "" }],
    },
    spec: {
      ...spec,
      template: {
        ...spec?.template,
        metadata: {
          ...spec?.template.metadata,
          labels: { ...spec?.template.metadata?.labels, ...lane },
          annotations: { ...spec?.template.metadata?.annotations, ...written },
        },
      },
    },
  };
}

/** The run that a Job is of; undefined when it is none of Keepsake's. */
export const runOfJob = ({ metadata }: V1Job): RunDescription | undefined =>
  RunDescription.safeParse(parseJson(metadata?.annotations?.[annotations.run] ?? "")).data;

/** Whether it has ended, well or not. */
export const isOver = ({ status }: V1Job): boolean =>
  status?.conditions?.some(({ type, status }) => (type === "Complete" || type === "Failed") && status === "True") ??
  false;
