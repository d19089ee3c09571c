import { rm } from "node:fs/promises";
import { join } from "node:path";
import { databaseRows } from "../../../../deploy/local/lab/open-webui/content.ts";
import { makeInstall } from "../../../../deploy/local/lab/open-webui/make-database.ts";
import type { Cluster } from "../../cluster.ts";
import { startWitness } from "../../comes-back/witness.ts";
import type { ClusterApp } from "./app.ts";

/** An Open WebUI with its database of SQLite; root's files. */
export async function layOpenWebui(cluster: Cluster): Promise<ClusterApp> {
  const home = await cluster.namespace("open-webui");
  const { claim, folder } = await home.localClaim("data");
  await makeInstall(folder, { chats: 20 });
  const witness = await startWitness(home, folder, { look: "ls -i webui.db", hold: "webui.db" });
  const database = join(folder, "webui.db");
  return {
    name: "open-webui",
    home,
    settings: { kubernetes: { namespace: home.name, claim, workload: { name: witness.name } } },
    content: async () => databaseRows(database),
    destroy: () => witness.meanwhileDown(() => rm(database)),
    expectBack: () => witness.expectBack(),
  };
}
