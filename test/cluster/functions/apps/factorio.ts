import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeSave } from "../../../../deploy/local/lab/factorio/make-save.ts";
import { newestSave } from "../../../../functions/factorio/saves-folder.ts";
import { sha256Of } from "../../../../shared/nas/publish.ts";
import type { Cluster } from "../../cluster.ts";
import { startWitness, type Witness } from "../../comes-back/witness.ts";
import { command } from "../../install/command.ts";
import type { ClusterApp } from "./app.ts";

/** A Factorio server with a save, as its chart has it: a Deployment, a claim, files of the user 845. */
export async function layFactorio(cluster: Cluster): Promise<ClusterApp & { witness: Witness }> {
  const home = await cluster.namespace("factorio");
  const { claim, folder } = await home.localClaim("datadir");
  const saves = join(folder, "saves");
  await mkdir(saves);
  await writeSave(join(saves, "homelab.zip"), "homelab", { seed: 7, tick: 3000, saves: 1, levelBytes: 200_000 });
  await command("chown", ["--recursive", "845:845", folder]);
  const witness = await startWitness(home, folder, { look: "ls -i saves/*.zip", hold: "saves/*.zip" });
  return {
    name: "factorio",
    home,
    settings: {
      warnSeconds: 0,
      kubernetes: { namespace: home.name, claim, workload: { name: witness.name }, secrets: {} },
    },
    async content() {
      const { path, name, sizeBytes } = await newestSave(saves);
      return new Map([[`newest save ${name}`, `${sizeBytes} bytes, sha256 ${await sha256Of(path)}`]]);
    },
    destroy: () => witness.meanwhileDown(() => rm(saves, { recursive: true })),
    expectBack: () => witness.expectBack(),
    witness,
  };
}
