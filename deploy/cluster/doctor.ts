import { readFile } from "node:fs/promises";
import { loadAppTypes } from "../../functions/types.ts";
import type { Cluster } from "../../shared/cluster/client.ts";
import { parseConfig } from "../../shared/config.ts";
import type { Check } from "../cli/checks.ts";
import { type Site, siteOf } from "../manifests/site.ts";
import { checkApp } from "./check-apps.ts";
import { checkGround } from "./check-ground.ts";
import { checkNas } from "./check-nas.ts";
import { checkStanding } from "./check-standing.ts";
import type { Stack } from "./stack.ts";

/** What a keepsake.yaml makes of a cluster. @throws {Failure} `invalid_config`, also when it is not a cluster's. */
export async function readSite(configPath: string): Promise<Site> {
  const text = await readFile(configPath, "utf8");
  return siteOf(parseConfig(text, "/etc/keepsake/keepsake.yaml", await loadAppTypes()), text);
}

/**
 * Looks at everything that runs on a cluster lean on, in the order in which it is to be mended. Changes nothing that
 * stays: Jobs look at the NAS from where runs are, and are removed.
 */
export async function* checkCluster(cluster: Cluster, site: Site, stack: Stack): AsyncGenerator<Check> {
  yield* checkGround(cluster, site, stack.secretNames);
  for (const app of site.apps) yield* await checkApp(cluster, app);
  yield* await checkNas(cluster, site);
  yield* checkStanding(cluster, site, stack);
}
