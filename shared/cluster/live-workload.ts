import type {
  V1Deployment,
  V1LabelSelector,
  V1ManagedFieldsEntry,
  V1PodTemplateSpec,
  V1StatefulSet,
} from "@kubernetes/client-node";
import { Failure } from "../failures.ts";
import { ask, askIfThere } from "./ask.ts";
import { type Cluster, fieldManager, mergePatch } from "./client.ts";
import type { Source } from "./seen.ts";
import type { Kubernetes } from "./settings.ts";

type WorkloadSettings = NonNullable<Kubernetes["workload"]>;
type Kind = WorkloadSettings["kind"];

/** Where an app's workload is, and how it is found there. */
export interface WorkloadPlace {
  readonly namespace: string;
  readonly workload: WorkloadSettings;
}

/** A Deployment or StatefulSet as it is now. */
export interface LiveWorkload {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly managedFields: readonly V1ManagedFieldsEntry[];
  /** How many pods it is to have. */
  readonly replicas: number;
  /** How many it has; what its controller has not looked at yet is not counted. */
  readonly present: number | undefined;
  readonly ready: number;
  /** Why its controller makes no pods. */
  readonly trouble?: string;
  /** Of its pods, as `kubectl -l` takes it. */
  readonly podSelector: string;
  readonly template: V1PodTemplateSpec;
  /** How long it may take to become ready, in ms. */
  readonly readyWithinMs: number;
}

/** Kubernetes' own default for a Deployment (`progressDeadlineSeconds`). */
const usualReadySeconds = 600;

export function liveOf(kind: Kind, object: V1Deployment | V1StatefulSet): LiveWorkload {
  const { metadata, spec, status } = object;
  const isSeen = (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 0);
  const seconds = spec && "progressDeadlineSeconds" in spec ? spec.progressDeadlineSeconds : undefined;
  const trouble = status?.conditions?.find(({ type, status }) => type === "ReplicaFailure" && status === "True");
  return {
    kind,
    namespace: metadata?.namespace ?? "",
    name: metadata?.name ?? "",
    uid: metadata?.uid ?? "",
    resourceVersion: metadata?.resourceVersion ?? "",
    annotations: metadata?.annotations ?? {},
    managedFields: metadata?.managedFields ?? [],
    replicas: spec?.replicas ?? 1,
    present: isSeen ? (status?.replicas ?? 0) : undefined,
    ready: isSeen ? (status?.readyReplicas ?? 0) : 0,
    ...(trouble?.message !== undefined && { trouble: trouble.message }),
    podSelector: selectorText(spec?.selector ?? {}),
    template: spec?.template ?? {},
    readyWithinMs: (seconds ?? usualReadySeconds) * 1000,
  };
}

/** As the API's query takes it. */
export function selectorText({ matchLabels = {}, matchExpressions = [] }: V1LabelSelector): string {
  const operators: Record<string, (key: string, values: string) => string> = {
    In: (key, values) => `${key} in (${values})`,
    NotIn: (key, values) => `${key} notin (${values})`,
    Exists: (key) => key,
    DoesNotExist: (key) => `!${key}`,
  };
  return [
    ...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`),
    ...matchExpressions.map(({ key, operator, values = [] }) => operators[operator]?.(key, values.join(",")) ?? ""),
  ].join(",");
}

/** The workloads that fit, by name; normally one. */
export async function listWorkloads(cluster: Cluster, place: WorkloadPlace, withinMs: number): Promise<LiveWorkload[]> {
  const { kind, name } = place.workload;
  const what = `look at ${inWords(place)}`;
  if (name !== undefined) {
    const at = { namespace: place.namespace, name };
    const read = () =>
      kind === "Deployment" ? cluster.apps.readNamespacedDeployment(at) : cluster.apps.readNamespacedStatefulSet(at);
    const found = await askIfThere<V1Deployment | V1StatefulSet>(what, read, { withinMs });
    return found ? [liveOf(kind, found)] : [];
  }
  const { items } = await ask(what, () => workloadSource(cluster, place).list(), { withinMs });
  return items.map((item) => liveOf(kind, item)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** @throws {Failure} `workload_failed` unless exactly one fits. */
export function onlyOne(found: readonly LiveWorkload[], place: WorkloadPlace, app: string): LiveWorkload {
  const [first, ...others] = found;
  if (first && others.length === 0) return first;
  const { kind, name } = place.workload;
  const set = `apps.${app}.kubernetes.workload in keepsake.yaml`;
  throw new Failure(
    "workload_failed",
    `Cannot find what "${app}" runs in: one ${inWords(place)} is wanted, ${first ? `are ${found.map(({ name }) => name).join(", ")}` : "is none"}`,
    {
      hint: first
        ? `Name the one that is meant: ${set}`
        : `kubectl get ${kind.toLowerCase()}s -n ${place.namespace} shows what is there; ${name === undefined ? "its labels" : "its name"} goes to ${set}`,
    },
  );
}

export const inWords = ({ namespace, workload: { kind, name, selector } }: WorkloadPlace): string =>
  `${kind} ${name === undefined ? `with the labels ${selector}` : `"${name}"`} in namespace ${namespace}`;

export const nameOf = ({ kind, name }: LiveWorkload): string => `${kind} "${name}"`;

/** To watch one of them, or those that fit. */
export function workloadSource(
  { apps }: Cluster,
  { namespace, workload }: WorkloadPlace,
): Source<V1Deployment | V1StatefulSet> {
  const { kind, name, selector } = workload;
  const which = {
    ...(name !== undefined && { fieldSelector: `metadata.name=${name}` }),
    ...(selector !== undefined && { labelSelector: selector }),
  };
  const isDeployment = kind === "Deployment";
  return {
    path: `/apis/apps/v1/namespaces/${namespace}/${isDeployment ? "deployments" : "statefulsets"}`,
    ...which,
    list: () =>
      isDeployment
        ? apps.listNamespacedDeployment({ namespace, ...which })
        : apps.listNamespacedStatefulSet({ namespace, ...which }),
  };
}

/** Sets, or removes, one annotation; a conflict when the workload has changed since. */
export async function annotate(
  { apps }: Cluster,
  { kind, namespace, name, resourceVersion }: LiveWorkload,
  key: string,
  value: string | null,
): Promise<LiveWorkload> {
  const body = { metadata: { resourceVersion, annotations: { [key]: value } } };
  const request = { namespace, name, body, fieldManager };
  return liveOf(
    kind,
    kind === "Deployment"
      ? await apps.patchNamespacedDeployment(request, mergePatch)
      : await apps.patchNamespacedStatefulSet(request, mergePatch),
  );
}

/** By the scale subresource: the right to it is not the right to change the workload. */
export async function scale({ apps }: Cluster, { kind, namespace, name }: LiveWorkload, replicas: number) {
  const request = { namespace, name, body: { spec: { replicas } }, fieldManager };
  if (kind === "Deployment") await apps.patchNamespacedDeploymentScale(request, mergePatch);
  else await apps.patchNamespacedStatefulSetScale(request, mergePatch);
}
