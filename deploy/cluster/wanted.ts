import { askIfThere } from "../../shared/cluster/ask.ts";
import type { Cluster } from "../../shared/cluster/client.ts";
import { listWorkloads } from "../../shared/cluster/live-workload.ts";
import { manifestsOf } from "../manifests/manifests.ts";
import { type NodeRules, nodeRulesOf } from "../manifests/node-rules.ts";
import type { Manifest } from "../manifests/object.ts";
import type { Site } from "../manifests/site.ts";
import { read } from "./applied.ts";

/**
 * What the settings make for this very cluster, but for functions and secrets, in the order in which it is applied: runs
 * may go where the app may go now, and the policy that gives functions the export is left out where the API does not know
 * its kind. Only that one: of those that keep accounts within bounds none may be missing.
 */
export async function wantedOn(cluster: Cluster, site: Site, functionNames: readonly string[]): Promise<Manifest[]> {
  const nodeRules = await liveNodeRules(cluster, site);
  const all = [...manifestsOf(site, { functionNames, nodeRules }).values()].flat();
  if (await knowsMutatingPolicies(cluster)) return all;
  return all.filter(({ kind }) => !kind.startsWith("MutatingAdmissionPolicy"));
}

/** By app, from the workload that is there; without one the settings count. */
async function liveNodeRules(cluster: Cluster, site: Site): Promise<Map<string, NodeRules>> {
  const rules = new Map<string, NodeRules>();
  for (const { name, kubernetes } of site.apps) {
    const { namespace, workload } = kubernetes;
    if (!workload) continue;
    const [live, ...others] = await listWorkloads(cluster, { namespace, workload }, 10_000);
    if (live && others.length === 0) rules.set(name, nodeRulesOf(live.template.spec ?? {}));
  }
  return rules;
}

/** A beta of them is not enough: it is another version of the API, and off unless somebody has switched it on. */
async function knowsMutatingPolicies(cluster: Cluster): Promise<boolean> {
  const what = "ask which policies the API knows";
  const list = await askIfThere(what, () => read(cluster, "/apis/admissionregistration.k8s.io/v1"));
  const { resources = [] } = (list ?? {}) as { resources?: readonly { readonly name: string }[] };
  return resources.some(({ name }) => name === "mutatingadmissionpolicies");
}
