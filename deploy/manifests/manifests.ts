import { stringify } from "yaml";
import { accounts } from "./accounts.ts";
import { configMaps } from "./config-maps.ts";
import { cronJobs } from "./cron-jobs.ts";
import { functionPolicies } from "./function-policies.ts";
import { jobPolicies } from "./job-policies.ts";
import { networkPolicies } from "./network-policies.ts";
import type { NodeRules } from "./node-rules.ts";
import type { Manifest } from "./object.ts";
import { runnerPolicies } from "./runner-policies.ts";
import type { Site } from "./site.ts";

export interface ManifestOptions {
  /** The functions of stack.yml. */
  readonly functionNames: readonly string[];
  /** By app: where its workload's pods may run now; what the settings say when absent. */
  readonly nodeRules?: ReadonlyMap<string, NodeRules>;
}

/**
 * Everything of Keepsake on a cluster but functions and secrets, by file, in the order in which it is applied: what
 * keeps accounts within bounds comes before the accounts. No namespace is among it: those are the apps' own.
 */
export function manifestsOf(
  site: Site,
  { functionNames, nodeRules = new Map() }: ManifestOptions,
): ReadonlyMap<string, readonly Manifest[]> {
  return new Map([
    ["policies-of-functions.yaml", functionPolicies(site)],
    ["policies-of-jobs.yaml", jobPolicies(site)],
    ["policies-of-runs.yaml", runnerPolicies(site)],
    ["network-policies.yaml", networkPolicies(site, functionNames)],
    ["config-maps.yaml", configMaps(site)],
    ["cron-jobs.yaml", cronJobs(site, nodeRules)],
    ["accounts.yaml", accounts(site)],
  ]);
}

/** The same as files of a folder that `kubectl apply -k` takes. */
export function kustomization(manifests: ReadonlyMap<string, readonly Manifest[]>): ReadonlyMap<string, string> {
  const head = "# Made of deploy/keepsake.yaml by `make manifests`: change that, not this.\n";
  const list = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    // As they stand there: policies before accounts.
    sortOptions: { order: "fifo" },
    resources: [...manifests.keys()],
  };
  return new Map([
    ["kustomization.yaml", head + yaml(list)],
    ...[...manifests].map(([name, objects]) => [name, head + objects.map(yaml).join("---\n")] as const),
  ]);
}

const yaml = (value: unknown) => stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
