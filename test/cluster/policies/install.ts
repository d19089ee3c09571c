import { readFile } from "node:fs/promises";
import { afterAll, expect, vi } from "vitest";
import { manifestsOf } from "../../../deploy/manifests/manifests.ts";
import { validatingBinding, validatingPolicy } from "../../../deploy/manifests/policy.ts";
import { functionsAccount, runnerAccount, type Site, siteOf } from "../../../deploy/manifests/site.ts";
import { loadAppTypes } from "../../../functions/types.ts";
import { parseConfig } from "../../../shared/config.ts";
import type { Cluster } from "../cluster.ts";
import type { Namespace } from "../namespace.ts";
import { type Api, apiOf } from "./api.ts";

/** Keepsake as it is applied, in namespaces of its own. */
export interface Installed {
  readonly site: Site;
  readonly functions: Namespace;
  /** With `sdtd`, whose workload has a name, and `open-webui`, whose has labels. */
  readonly games: Namespace;
  /** With `postgresql`, which has none, and another shape for drills. */
  readonly databases: Namespace;
  readonly admin: Api;
  readonly asFunctions: Api;
  readonly asRunOfGames: Api;
  readonly asRunOfDatabases: Api;
}

/** @param nas Where the export is; nobody has to mount it where nothing is said. */
export async function install(
  cluster: Cluster,
  { image = "example.org/keepsake:1", nas = { server: "nas.example.org", path: "/volume/data" } } = {},
): Promise<Installed> {
  const [functions, games, databases] = await Promise.all(
    ["functions", "games", "databases"].map((purpose) => cluster.namespace(purpose)),
  );
  if (!functions || !games || !databases) throw new Error("Three namespaces are wanted");
  const { name } = functions;
  const text = `
cluster: { image: "${image}", functionNamespace: ${name}, openfaasNamespace: ${name}, natsNamespace: ${name} }
nasExport: { server: ${nas.server}, path: ${nas.path} }
apps:
  sdtd: { kubernetes: { namespace: ${games.name} } }
  open-webui:
    kubernetes: { namespace: ${games.name}, workload: { kind: StatefulSet, selector: app=webui } }
  postgresql: { kubernetes: { namespace: ${databases.name} } }
`;
  const site = siteOf(parseConfig(text, "/etc/keepsake/keepsake.yaml", await loadAppTypes()), text);
  const items = [...manifestsOf(site, { functionNames: ["backup-sdtd"] }).values()].flat();
  const stdin = JSON.stringify({ apiVersion: "v1", kind: "List", items: [...staying, ...items] });
  await cluster.kubectlWith({ stdin }, "apply", "--server-side", "--validate=strict", "--filename=-");
  // What belongs to no namespace goes with none.
  const ofCluster = items.filter(({ metadata }) => !metadata.namespace);
  afterAll(() =>
    cluster.kubectl(
      "delete",
      "--wait=false",
      "--ignore-not-found",
      ...ofCluster.map(({ kind, metadata }) => `${kind}/${metadata.name}`),
    ),
  );
  const as = async (namespace: Namespace, account: string) => apiOf(await namespace.kubeconfigOf(account));
  const installed = {
    site,
    functions,
    games,
    databases,
    admin: apiOf(await readFile(cluster.kubeconfig, "utf8")),
    asFunctions: await as(functions, functionsAccount),
    asRunOfGames: await as(games, runnerAccount),
    asRunOfDatabases: await as(databases, runnerAccount),
  };
  await inForce(installed);
  return installed;
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
  const stdin = JSON.stringify({ apiVersion: "v1", kind: "List", items: staying });
  await cluster.kubectlWith({ stdin }, "apply", "--server-side", "--filename=-");
}

/** The API server takes a moment to know a policy, and meanwhile lets through what it would refuse. */
async function inForce({ games, functions, admin, asFunctions, asRunOfGames }: Installed): Promise<void> {
  const metadata = { name: "other" };
  const pod = { restartPolicy: "Never", containers: [{ name: "main", image: "example.org/other:1" }] };
  const jobs = `/apis/batch/v1/namespaces/${games.name}/jobs`;
  const leases = `/apis/coordination.k8s.io/v1/namespaces/${games.name}/leases`;
  const pods = `/api/v1/namespaces/${functions.name}/pods`;
  const refusals: [Api, string, object, string][] = [
    [asFunctions, jobs, { metadata, spec: { template: { spec: pod } } }, "A Job of one of Keepsake's CronJobs"],
    [asRunOfGames, leases, { metadata }, "A run holds no Lease"],
    [admin, pods, { metadata, spec: { ...pod, serviceAccountName: functionsAccount } }, "is for the image"],
  ];
  for (const [as, path, object, why] of refusals) {
    const refused = async () => expect((await as("POST", `${path}?dryRun=All`, object)).message).toContain(why);
    await vi.waitFor(refused, { timeout: 60_000, interval: 100 });
  }
}
