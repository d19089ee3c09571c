import { afterAll, expect, vi } from "vitest";
import { exportAnnotation } from "../../../deploy/manifests/function-policies.ts";
import { manifestsOf } from "../../../deploy/manifests/manifests.ts";
import { validatingBinding, validatingPolicy } from "../../../deploy/manifests/policy.ts";
import { functionsAccount, runnerAccount, type Site, siteOf } from "../../../deploy/manifests/site.ts";
import { loadAppTypes } from "../../../functions/types.ts";
import { parseConfig } from "../../../shared/config.ts";
import { type Api, apiOf } from "../api.ts";
import type { Cluster } from "../cluster.ts";
import type { Namespace } from "../namespace.ts";
import { apply, remove } from "../objects.ts";

export interface Where {
  readonly functions: Namespace;
  /** That of an app, or one of several. */
  readonly app: Namespace;
  /** Those of stack.yml. */
  readonly functionNames: readonly string[];
}

/**
 * Applies everything that ships but functions and secrets, into namespaces that are there, and waits until it is in force.
 * What belongs to no namespace goes with the test file.
 * @param text keepsake.yaml, with all namespaces in it.
 */
export async function applyKeepsake(cluster: Cluster, text: string, where: Where): Promise<Site> {
  const { functionNames } = where;
  const site = siteOf(parseConfig(text, "/etc/keepsake/keepsake.yaml", await loadAppTypes()), text);
  const items = [...manifestsOf(site, { functionNames }).values()].flat();
  await apply(cluster.api, [...staying, ...items]);
  const ofCluster = items.filter(({ metadata }) => !metadata.namespace);
  afterAll(() => remove(cluster.api, ofCluster));
  await inForce(cluster, where);
  return site;
}

/**
 * An API server stops looking at CronJobs for good when no policy has them as its parameter any more (Kubernetes 1.36:
 * docs/cluster.md): this one asks nobody anything, and stays for as long as the cluster.
 */
const staying = [
  validatingPolicy("test-cron-jobs", {
    paramKind: { apiVersion: "batch/v1", kind: "CronJob" },
    on: [{ apiGroup: "batch", resources: ["jobs"], operations: ["CREATE"] }],
    when: { never: "false" },
    checks: [{ expression: "true", message: "-" }],
  }),
  validatingBinding("test-cron-jobs", "test-cron-jobs", {
    paramRef: { name: "none", namespace: "default", parameterNotFoundAction: "Allow" },
  }),
];

/** Applies it: for who installs and removes Keepsake's own policies. */
export async function keepWatching(cluster: Cluster): Promise<void> {
  await apply(cluster.api, staying);
}

/** The API server takes a moment to know a policy, and meanwhile lets through what it would refuse. */
async function inForce(cluster: Cluster, { functions, app }: Where): Promise<void> {
  const admin = cluster.api;
  const asFunctions = apiOf(await functions.kubeconfigOf(functionsAccount));
  const asRun = apiOf(await app.kubeconfigOf(runnerAccount));
  const metadata = { name: "other" };
  const pod = { restartPolicy: "Never", containers: [{ name: "main", image: "example.org/other:1" }] };
  const jobs = `/apis/batch/v1/namespaces/${app.name}/jobs`;
  const leases = `/apis/coordination.k8s.io/v1/namespaces/${app.name}/leases`;
  const pods = `/api/v1/namespaces/${functions.name}/pods`;
  const deployments = `/apis/apps/v1/namespaces/${functions.name}/deployments`;
  const labels = { faas_function: "other" };
  const asking = {
    metadata: { ...metadata, annotations: { [exportAnnotation]: "read-only" } },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: pod.containers } },
    },
  };
  const account = { ...pod, serviceAccountName: functionsAccount };
  // A function that asks is given the account, and refused it for its image: by both policies at once.
  const refusals: [Api, string, object, string][] = [
    [asFunctions, jobs, { metadata, spec: { template: { spec: pod } } }, "A Job of one of Keepsake's CronJobs"],
    [asRun, leases, { metadata }, "A run holds no Lease"],
    [admin, pods, { metadata, spec: account }, "is for the image"],
    [admin, deployments, asking, "is for the image"],
  ];
  for (const [api, path, object, why] of refusals) {
    const refused = async () => expect((await api("POST", `${path}?dryRun=All`, object)).message).toContain(why);
    await vi.waitFor(refused, { timeout: 60_000, interval: 100 });
  }
}
