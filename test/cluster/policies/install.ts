import { functionsAccount, runnerAccount, type Site } from "../../../deploy/manifests/site.ts";
import { type Api, apiOf } from "../api.ts";
import type { Cluster } from "../cluster.ts";
import type { Namespace } from "../namespace.ts";
import { applyKeepsake } from "./apply.ts";

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
  const site = await applyKeepsake(cluster, text, { functions, app: games, functionNames: ["backup-sdtd"] });
  const as = async (namespace: Namespace, account: string) => apiOf(await namespace.kubeconfigOf(account));
  return {
    site,
    functions,
    games,
    databases,
    admin: cluster.api,
    asFunctions: await as(functions, functionsAccount),
    asRunOfGames: await as(games, runnerAccount),
    asRunOfDatabases: await as(databases, runnerAccount),
  };
}
