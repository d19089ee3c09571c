import { rm } from "node:fs/promises";
import { countsAsChange } from "../../../../functions/sdtd/members.ts";
import { sums } from "../../../worlds/ollama.ts";
import { places, play } from "../../../worlds/sdtd.ts";
import type { Cluster } from "../../cluster.ts";
import { startWitness } from "../../comes-back/witness.ts";
import { command } from "../../install/command.ts";
import type { ClusterApp } from "./app.ts";

/** A server of 7 Days to Die with a game and its generated world; files of the user 1000. */
export async function laySdtd(cluster: Cluster): Promise<ClusterApp> {
  const home = await cluster.namespace("sdtd");
  const { claim, folder } = await home.localClaim("gamefiles");
  await play(folder);
  await command("chown", ["--recursive", "1000:1000", folder]);
  const look = "find UserData/Saves -type f -exec ls -i {} +";
  const witness = await startWitness(home, folder, { look, hold: "UserData/Saves/*/*/main.ttw" });
  const { gameFolder, worldFolder } = places(folder);
  return {
    name: "sdtd",
    home,
    settings: {
      warnSeconds: 0,
      kubernetes: { namespace: home.name, claim, workload: { name: witness.name }, secrets: {} },
    },
    async content() {
      const game = Object.entries(await sums(gameFolder)).filter(([path]) => countsAsChange(path));
      const world = Object.entries(await sums(worldFolder)).map(([path, sum]) => [`world ${path}`, sum] as const);
      return new Map([...game, ...world]);
    },
    destroy: () =>
      witness.meanwhileDown(async () => {
        for (const gone of [gameFolder, worldFolder]) await rm(gone, { recursive: true });
      }),
    expectBack: () => witness.expectBack(),
  };
}
