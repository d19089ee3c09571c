import type { Cluster } from "../../shared/cluster/client.ts";
import { manifestsOf } from "../manifests/manifests.ts";
import type { Manifest } from "../manifests/object.ts";
import type { Site } from "../manifests/site.ts";
import { findThere, removeAll } from "./applied.ts";
import { configSecret } from "./secrets.ts";

/**
 * Removes what `deploy` has put on a cluster, in the opposite order: accounts first. The apps, the NAS and the token stay.
 * So do the policies that have CronJobs as their parameter: they are about an account that is gone, and the API server of
 * Kubernetes 1.36 stops looking at CronJobs for good when the last of them goes (docs/cluster.md).
 * @returns Whether it was done; false when somebody said no.
 */
export async function undeploy({
  cluster,
  site,
  functionNames,
  say,
  confirm,
}: {
  readonly cluster: Cluster;
  readonly site: Site;
  readonly functionNames: readonly string[];
  readonly say: (line: string) => void;
  readonly confirm: (question: string) => Promise<boolean>;
}): Promise<boolean> {
  say(`Cluster: ${cluster.config.getCurrentCluster()?.server} (context ${cluster.config.getCurrentContext()})`);
  const stays = ({ kind, metadata }: Manifest) => /AdmissionPolicy/.test(kind) && metadata.name.includes("jobs-alike");
  const manifests = [...[...manifestsOf(site, { functionNames }).values()].flat(), configSecret(site)];
  const there = await findThere(cluster, manifests.filter((manifest) => !stays(manifest)).reverse());
  if (there.length === 0) {
    say("Nothing of Keepsake is there to remove");
    return true;
  }
  const kinds = [...Map.groupBy(there, ({ kind }) => kind)].map(([kind, all]) => `${all.length} ${kind}`);
  say(`To be removed: ${kinds.join(", ")}. Backups on the NAS and the apps stay as they are.`);
  if (!(await confirm(`Remove ${there.length} objects?`))) return false;
  await removeAll(cluster, there);
  say(`Removed ${there.length} objects; the policies keepsake-jobs-alike-… stay (docs/cluster.md says why)`);
  return true;
}
