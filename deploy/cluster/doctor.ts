import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { loadAppTypes } from "../../functions/types.ts";
import type { Cluster } from "../../shared/cluster/client.ts";
import { parseConfig } from "../../shared/config.ts";
import { loadStackFile } from "../../shared/stack/stack-file.ts";
import type { Check } from "../cli/checks.ts";
import { type Site, siteOf } from "../manifests/site.ts";
import { compareApplied } from "./applied.ts";
import { checkApplied } from "./check-applied.ts";
import { checkApp, checkSecret } from "./check-apps.ts";
import { checkClock, checkHonestJob, checkVersion } from "./check-cluster.ts";
import { checkConnectors } from "./check-connectors.ts";
import { checkNas } from "./check-nas.ts";
import { checkExport } from "./functions.ts";
import { ownSecrets } from "./secrets.ts";
import { wantedOn } from "./wanted.ts";

/** What a keepsake.yaml makes of a cluster. @throws {Failure} `invalid_config`, also when it is not a cluster's. */
export async function readSite(configPath: string): Promise<Site> {
  const text = await readFile(configPath, "utf8");
  return siteOf(parseConfig(text, "/etc/keepsake/keepsake.yaml", await loadAppTypes()), text);
}

const stack = () => loadStackFile(join(import.meta.dirname, "../../stack.yml"), {});

/** The functions of stack.yml, which network policies name. */
export const functionNames = async (): Promise<string[]> => (await stack()).map(({ service }) => service);

/** The secrets that the functions of stack.yml have. */
export const secretNames = async (): Promise<string[]> => [
  ...new Set((await stack()).flatMap(({ secrets }) => secrets ?? [])),
];

const topics = async (): Promise<string[]> => (await stack()).flatMap(({ annotations }) => annotations?.topic ?? []);

/** Looks at everything that runs on a cluster lean on, in the order in which it is to be mended. Changes nothing
 * that stays: Jobs look at the NAS from where runs are, and are removed. */
export async function* checkCluster(
  cluster: Cluster,
  site: Site,
  functionNames: readonly string[],
): AsyncGenerator<Check> {
  yield checkVersion(cluster);
  yield checkClock(cluster);
  for (const app of site.apps) yield* await checkApp(cluster, app);
  yield* await checkNas(cluster, site);
  const namespace = site.cluster.functionNamespace;
  for (const secret of await secretNames()) {
    const mayBeEmpty = !ownSecrets.includes(secret);
    yield checkSecret(cluster, { what: "functions", namespace, secret, keys: [secret], mayBeEmpty });
  }
  const manifests = await wantedOn(cluster, site, functionNames);
  const applied = await compareApplied(cluster, manifests);
  yield* checkApplied(applied);
  yield* await checkExport(cluster, site, functionNames);
  yield* await checkConnectors(cluster, site, await topics());
  const isThere = (name: string) =>
    applied.some(
      ({ manifest, state }) => state !== "missing" && manifest.kind === "CronJob" && manifest.metadata.name === name,
    );
  for (const app of site.apps) if (isThere(`keepsake-${app.name}`)) yield checkHonestJob(cluster, site, app);
}
