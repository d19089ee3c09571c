import type { Cluster } from "../../shared/cluster/client.ts";
import type { Check } from "../cli/checks.ts";
import type { Site } from "../manifests/site.ts";
import { compareApplied } from "./applied.ts";
import { checkApplied } from "./check-applied.ts";
import { checkSecret } from "./check-apps.ts";
import { checkHonestJob } from "./check-cluster.ts";
import { checkConnectors } from "./check-connectors.ts";
import { checkExport } from "./functions.ts";
import { ownSecrets } from "./secrets.ts";
import type { Stack } from "./stack.ts";
import { wantedOn } from "./wanted.ts";

/**
 * Whether all that `deploy` brings stands on the cluster, and what calls it knows of it. Changes nothing.
 * @param patienceMs For so long a connector may not have looked for functions yet.
 */
export async function* checkStanding(
  cluster: Cluster,
  site: Site,
  stack: Stack,
  patienceMs = 0,
): AsyncGenerator<Check> {
  const { functionNames } = stack;
  const namespace = site.cluster.functionNamespace;
  for (const secret of ownSecrets) yield checkSecret(cluster, { what: "functions", namespace, secret, keys: [secret] });
  const applied = await compareApplied(cluster, await wantedOn(cluster, site, functionNames));
  yield* checkApplied(applied);
  yield* await checkExport(cluster, site, functionNames);
  const isThere = (name: string) =>
    applied.some(
      ({ manifest, state }) => state !== "missing" && manifest.kind === "CronJob" && manifest.metadata.name === name,
    );
  for (const app of site.apps) if (isThere(`keepsake-${app.name}`)) yield checkHonestJob(cluster, site, app);
  yield* await checkConnectors(cluster, site, stack, patienceMs);
}
