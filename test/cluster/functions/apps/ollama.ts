import { rm } from "node:fs/promises";
import { join } from "node:path";
import { labModels, makeStore } from "../../../../deploy/local/lab/ollama/make-store.ts";
import { sums } from "../../../worlds/ollama.ts";
import type { Cluster } from "../../cluster.ts";
import { startWitness } from "../../comes-back/witness.ts";
import type { ClusterApp } from "./app.ts";

/** An Ollama with four models; root's files. There is no GPU here to ask for. */
export async function layOllama(cluster: Cluster): Promise<ClusterApp> {
  const home = await cluster.namespace("ollama");
  const { claim, folder } = await home.localClaim("models");
  await makeStore(folder, labModels(300_000));
  const look = "find models/manifests -type f -exec ls -i {} +";
  const witness = await startWitness(home, folder, { look, hold: "models/blobs/sha256-*" });
  return {
    name: "ollama",
    home,
    settings: {
      kubernetes: { namespace: home.name, claim, workload: { name: witness.name }, nodeSelector: {}, tolerations: [] },
    },
    content: async () => new Map(Object.entries(await sums(join(folder, "models")))),
    destroy: () => witness.meanwhileDown(() => rm(join(folder, "models"), { recursive: true })),
    expectBack: () => witness.expectBack(),
  };
}
