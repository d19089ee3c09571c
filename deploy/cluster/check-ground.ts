import { askIfThere } from "../../shared/cluster/ask.ts";
import type { Cluster } from "../../shared/cluster/client.ts";
import type { Check } from "../cli/checks.ts";
import { appNamespaces, type Site } from "../manifests/site.ts";
import { checkSecret } from "./check-apps.ts";
import { checkClock, checkVersion } from "./check-cluster.ts";
import { ownSecrets } from "./secrets.ts";

/** What has to be there before anything of Keepsake can be put on a cluster. Changes nothing. */
export async function* checkGround(
  cluster: Cluster,
  site: Site,
  secretNames: readonly string[],
): AsyncGenerator<Check> {
  yield checkVersion(cluster);
  yield checkClock(cluster);
  yield* await checkNamespaces(cluster, site);
  // Those that only their owner can make. One that is empty will do: who has no Telegram has an empty one.
  const namespace = site.cluster.functionNamespace;
  for (const secret of secretNames.filter((name) => !ownSecrets.includes(name)))
    yield checkSecret(cluster, { what: "functions", namespace, secret, keys: [secret], mayBeEmpty: true });
}

/** Keepsake makes none: an app's own namespace comes with the app, the functions' with OpenFaaS. */
async function checkNamespaces(cluster: Cluster, site: Site): Promise<Check[]> {
  const { functionNamespace, openfaasNamespace, natsNamespace } = site.cluster;
  const wanted = [...new Set([functionNamespace, openfaasNamespace, natsNamespace, ...appNamespaces(site)])];
  const missing: Check[] = [];
  for (const name of wanted) {
    const there = await askIfThere(`look at namespace "${name}"`, () => cluster.core.readNamespace({ name }));
    if (!there) missing.push({ what: "namespaces", ok: false, found: `"${name}" is not there`, remedy });
  }
  return missing.length > 0 ? missing : [{ what: "namespaces", ok: true, found: `all ${wanted.length} are there` }];
}

const remedy =
  "Install what it is of, or say in keepsake.yaml where that is; leave apps that you do not have out of `apps`.";
