import { type Api, done } from "./api.ts";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** Applies objects on the server as kubectl does, in their order; what it does not know is refused. */
export async function apply(
  api: Api,
  objects: readonly Manifest[],
  { namespace = "default", manager = "kubectl" } = {},
) {
  for (const object of objects) {
    const path = pathOf({ namespace, ...object.metadata }, object.kind, object.apiVersion);
    await done(api("APPLY", `${path}?fieldManager=${manager}&force=true&fieldValidation=Strict`, object));
  }
}

/** Does not wait until they are gone. One that is not there is none. */
export async function remove(api: Api, objects: readonly Manifest[]): Promise<void> {
  for (const { apiVersion, kind, metadata } of objects) {
    const answer = await api("DELETE", pathOf(metadata, kind, apiVersion));
    if (answer.status !== 404) await done(answer);
  }
}

/** The versions of the kinds that tests name without one. */
const versions = {
  ConfigMap: "v1",
  Event: "v1",
  Node: "v1",
  PersistentVolume: "v1",
  PersistentVolumeClaim: "v1",
  Pod: "v1",
  ResourceQuota: "v1",
  Secret: "v1",
  Service: "v1",
  ServiceAccount: "v1",
  Namespace: "v1",
  Deployment: "apps/v1",
  StatefulSet: "apps/v1",
  CronJob: "batch/v1",
  Job: "batch/v1",
  HorizontalPodAutoscaler: "autoscaling/v2",
} as const;
export type Kind = keyof typeof versions;

/** Kinds of which no object is in a namespace. */
const ofCluster = /^(Namespace|Node|PersistentVolume|StorageClass|ClusterRole\w*|\w+AdmissionPolicy(Binding)?)$/;

/** Where the API has an object, or all of its kind: "/apis/apps/v1/namespaces/x/deployments/y". */
export function pathOf(of: { namespace?: string; name?: string }, kind: Kind): string;
export function pathOf(of: { namespace?: string; name?: string }, kind: string, version: string): string;
export function pathOf(
  { namespace, name }: { namespace?: string; name?: string },
  kind: string,
  version: string = versions[kind as Kind],
): string {
  const resource = `${kind.toLowerCase()}s`.replace(/sss$/, "sses").replace(/ys$/, "ies");
  const within = ofCluster.test(kind) ? [] : ["namespaces", namespace];
  const parts = [version.includes("/") ? "apis" : "api", version, ...within, resource, ...(name ? [name] : [])];
  return `/${parts.join("/")}`;
}

/** Whether an object has a condition. */
export const has =
  (type: string) =>
  (object: { status?: { conditions?: { type: string; status: string }[] } } | undefined): boolean =>
    object?.status?.conditions?.some((one) => one.type === type && one.status === "True") ?? false;
