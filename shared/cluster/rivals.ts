import type { V1ManagedFieldsEntry, V2HorizontalPodAutoscaler } from "@kubernetes/client-node";
import { fieldManager } from "./client.ts";
import type { LiveWorkload } from "./live-workload.ts";

/*
 * Who else decides how many pods a workload has. A HorizontalPodAutoscaler leaves one at zero alone as long as its own
 * minimum is not zero ("autoscaling is disabled since scale target is 0"), so most of them need not be stopped.
 */

export interface Rival {
  /** For people: 'HorizontalPodAutoscaler "game"'. */
  readonly name: string;
  /** What makes it leave the workload alone. */
  readonly hint: string;
}

/** The autoscaler that would start a workload again that is at zero. */
export function scalerFromZero(
  scalers: readonly V2HorizontalPodAutoscaler[],
  { kind, namespace, name }: Pick<LiveWorkload, "kind" | "namespace" | "name">,
): Rival | undefined {
  for (const { metadata, spec } of scalers) {
    const target = spec?.scaleTargetRef;
    if (target?.kind !== kind || target.name !== name) continue;
    // KEDA's operator starts what is at zero by itself, whatever the minimum of the autoscaler that it made.
    const keda = metadata?.ownerReferences?.find(({ kind }) => kind === "ScaledObject");
    if (keda) {
      return {
        name: `KEDA's ScaledObject "${keda.name}"`,
        hint: `kubectl annotate scaledobject ${keda.name} -n ${namespace} autoscaling.keda.sh/paused=true, and afterwards the same with "paused-"`,
      };
    }
    if (spec?.minReplicas !== 0) continue;
    return {
      name: `HorizontalPodAutoscaler "${metadata?.name}", whose minimum is 0,`,
      hint: `kubectl patch hpa ${metadata?.name} -n ${namespace} -p '{"spec":{"minReplicas":1}}'`,
    };
  }
  return undefined;
}

/**
 * Who has changed the number of pods last, as far as the API keeps it: of changes by the scale subresource, which
 * `kubectl scale` and autoscalers use, it keeps no name once there was one by another.
 */
export function whoScaled(entries: readonly V1ManagedFieldsEntry[]): Rival {
  const [last] = entries
    .filter(({ manager, fieldsV1 }) => manager !== fieldManager && hasReplicas(fieldsV1))
    .sort((a, b) => timeOf(b) - timeOf(a));
  const manager = last?.manager ?? "";
  const name = manager === "" ? "somebody, as by kubectl scale or an autoscaler," : `"${manager}"`;
  const [, hint = "Whoever that is has to leave its replicas alone while a run has it stopped."] =
    remedies.find(([pattern]) => pattern.test(manager)) ?? [];
  return { name, hint };
}

const remedies: readonly (readonly [RegExp, string])[] = [
  [
    /argo/i,
    "In its Argo CD Application: ignoreDifferences for /spec/replicas with RespectIgnoreDifferences=true, or no self-heal.",
  ],
  [
    /flux|kustomize-controller|helm-controller/i,
    "Take spec.replicas out of what Flux applies, or suspend it for the time: flux suspend kustomization (or helmrelease) …",
  ],
];

function hasReplicas(fields: object | undefined): boolean {
  const spec = (fields as Record<string, unknown> | undefined)?.["f:spec"];
  return typeof spec === "object" && spec !== null && "f:replicas" in spec;
}

const timeOf = ({ time }: V1ManagedFieldsEntry) => (time === undefined ? 0 : new Date(time).getTime());
