import type { Cluster } from "../../shared/cluster/client.ts";
import { Failure } from "../../shared/failures.ts";
import { count } from "../../shared/words.ts";
import { manifestsOf } from "../manifests/manifests.ts";
import type { Manifest } from "../manifests/object.ts";
import type { Site } from "../manifests/site.ts";
import { findThere, removeAll } from "./applied.ts";
import { findFunctions } from "./functions.ts";
import { configSecret } from "./secrets.ts";
import type { Stack } from "./stack.ts";
import { findUnfinished } from "./unfinished.ts";

/**
 * Removes what `deploy` has put on a cluster, in the opposite order: functions, then accounts. The apps, the NAS and the
 * token stay. So do the policies that have CronJobs as their parameter: they are about an account that is gone, and the
 * API server of Kubernetes 1.36 stops looking at CronJobs for good when the last of them goes (docs/cluster.md).
 * Refuses while a run is at work, or has left an app stopped: nobody would bring that app back.
 * @param removeFunctions Has OpenFaaS remove them; fails when it cannot, and then nothing else is removed.
 * @returns Whether it was done; false when somebody said no.
 * @throws {Failure} `target_invalid` while something is in the way.
 */
export async function undeploy({
  cluster,
  site,
  stack: { functionNames },
  removeFunctions,
  say,
  confirm,
}: {
  readonly cluster: Cluster;
  readonly site: Site;
  readonly stack: Stack;
  readonly removeFunctions: () => Promise<void>;
  readonly say: (line: string) => void;
  readonly confirm: (question: string) => Promise<boolean>;
}): Promise<boolean> {
  say(`Cluster: ${cluster.config.getCurrentCluster()?.server} (context ${cluster.config.getCurrentContext()})`);
  const stays = ({ kind, metadata }: Manifest) => /AdmissionPolicy/.test(kind) && metadata.name.includes("jobs-alike");
  const manifests = [...[...manifestsOf(site, { functionNames }).values()].flat(), configSecret(site)];
  const there = await findThere(cluster, manifests.filter((manifest) => !stays(manifest)).reverse());
  const functions = await findFunctions(cluster, site, functionNames);
  if (there.length === 0 && functions.length === 0) {
    say("Nothing of Keepsake is there to remove");
    return true;
  }
  const kinds = [...Map.groupBy(there, ({ kind }) => kind)].map(([kind, all]) => `${all.length} ${kind}`);
  await refuseUnfinished(cluster, site);
  const all = [...(functions.length > 0 ? [count(functions.length, "function")] : []), ...kinds];
  say(`To be removed: ${all.join(", ")}. Backups on the NAS and the apps stay as they are.`);
  if (!(await confirm(`Remove ${count(functions.length + there.length, "object")}?`))) return false;
  if (functions.length > 0) await removeFunctions();
  // Functions that are gone start nothing any more; until then one may have.
  await refuseUnfinished(
    cluster,
    site,
    "The functions are gone, all else is there: undeploy once more when it has ended.",
  );
  await removeAll(cluster, there);
  say(`Removed ${count(there.length, "object")}; the policies keepsake-jobs-alike-… stay (docs/cluster.md says why)`);
  return true;
}

async function refuseUnfinished(cluster: Cluster, site: Site, hint?: string): Promise<void> {
  const [first, ...others] = await findUnfinished(cluster, site);
  if (!first) return;
  const more = others.length > 0 ? `, and ${count(others.length, "other")}` : "";
  throw new Failure("target_invalid", `Cannot undeploy: ${first.found}${more}`, { hint: hint ?? first.remedy });
}
