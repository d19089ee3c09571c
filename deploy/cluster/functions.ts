import { setTimeout as delay } from "node:timers/promises";
import { PatchStrategy, setHeaderOptions, type V1Deployment } from "@kubernetes/client-node";
import { ask } from "../../shared/cluster/ask.ts";
import { type Cluster, fieldManager } from "../../shared/cluster/client.ts";
import type { Check } from "../cli/checks.ts";
import { exportPatch, exportVolume } from "../manifests/export-patch.ts";
import { exportAnnotation } from "../manifests/function-policies.ts";
import { functionsAccount, type Site } from "../manifests/site.ts";

/** Those of Keepsake's functions that OpenFaaS has on the cluster. */
export async function findFunctions(
  cluster: Cluster,
  { cluster: { functionNamespace: namespace } }: Site,
  functionNames: readonly string[],
): Promise<V1Deployment[]> {
  const labelSelector = `faas_function in (${functionNames.join(",")})`;
  const { items } = await ask(`list the functions in "${namespace}"`, () =>
    cluster.apps.listNamespacedDeployment({ namespace, labelSelector }),
  );
  return items;
}

/** Whether every function is there, and of this image: what `faas-cli` would do is done. */
export async function areDeployed(cluster: Cluster, site: Site, functionNames: readonly string[]): Promise<boolean> {
  const there = await findFunctions(cluster, site, functionNames);
  const isOf = ({ spec }: V1Deployment) =>
    spec?.template.spec?.containers.some(({ image }) => image === site.cluster.image) === true;
  return there.filter(isOf).length === functionNames.length;
}

/** Waits until every function is up as it was deployed last, its image fetched and its old pod replaced. */
export async function checkUp(
  cluster: Cluster,
  site: Site,
  functionNames: readonly string[],
  limitMs = 180_000,
): Promise<Check> {
  const what = "functions";
  const untilMs = performance.now() + limitMs;
  for (;;) {
    const there = await findFunctions(cluster, site, functionNames);
    const up = there.filter(isUp).map(({ metadata }) => metadata?.name ?? "");
    const lacking = functionNames.filter((name) => !up.includes(name));
    if (lacking.length === 0) return { what, ok: true, found: `all ${up.length} are up` };
    if (performance.now() > untilMs) {
      const remedy = `kubectl describe pods -n ${site.cluster.functionNamespace} -l faas_function=${lacking[0]}`;
      return { what, ok: false, found: `${lacking.join(", ")} did not come up`, remedy };
    }
    await delay(500);
  }
}

/** As `kubectl rollout status` has it. */
function isUp({ metadata, spec, status = {} }: V1Deployment): boolean {
  const wanted = spec?.replicas ?? 1;
  const { observedGeneration = 0, updatedReplicas = 0, replicas = 0, availableReplicas = 0 } = status;
  const isSeen = observedGeneration >= (metadata?.generation ?? 0);
  return isSeen && updatedReplicas >= wanted && replicas <= updatedReplicas && availableReplicas >= updatedReplicas;
}

/**
 * Gives functions that ask for it the export and the account, where no policy does. What has both is left alone.
 * @returns How many were patched.
 */
export async function giveExport(cluster: Cluster, site: Site, functionNames: readonly string[]): Promise<number> {
  const lacking = (await findFunctions(cluster, site, functionNames)).filter((one) => lacksExport(site, one));
  for (const { metadata, spec } of lacking) {
    const name = metadata?.name ?? "";
    const namespace = site.cluster.functionNamespace;
    const containers = spec?.template.spec?.containers.map((container) => container.name) ?? [];
    await ask(`give "${name}" the export`, () =>
      cluster.apps.patchNamespacedDeployment(
        { name, namespace, body: exportPatch(site, containers), fieldManager },
        strategicMerge,
      ),
    );
  }
  return lacking.length;
}

/** Whether the functions that ask for the export have it; nothing while there are none. */
export async function checkExport(cluster: Cluster, site: Site, functionNames: readonly string[]): Promise<Check[]> {
  const functions = await findFunctions(cluster, site, functionNames);
  if (functions.length === 0) return [];
  const lacking = functions.filter((one) => lacksExport(site, one)).map(({ metadata }) => metadata?.name);
  const what = "functions: export";
  if (lacking.length === 0) return [{ what, ok: true, found: "those that ask for it have it, and the account" }];
  const remedy = "They were deployed before there was what gives it to them: make deploy CONFIG=…";
  return [{ what, ok: false, found: `${lacking.join(", ")} ask for it, and have it not`, remedy }];
}

function lacksExport({ config: { nasExport } }: Site, { metadata, spec }: V1Deployment): boolean {
  if (metadata?.annotations?.[exportAnnotation] !== "read-only") return false;
  const { serviceAccountName, volumes = [] } = spec?.template.spec ?? {};
  const nfs = volumes.find(({ name }) => name === exportVolume)?.nfs;
  return serviceAccountName !== functionsAccount || nfs?.server !== nasExport.server || nfs.path !== nasExport.path;
}

/** Lists are merged by name, so what OpenFaaS has put there stays. */
const strategicMerge = setHeaderOptions("Content-Type", PatchStrategy.StrategicMergePatch);
