import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeRender } from "../../../../deploy/local/lab/mapshot/make-render.ts";
import { sums } from "../../../worlds/ollama.ts";
import type { Cluster } from "../../cluster.ts";
import { keepsake } from "../../images/keepsake.ts";
import type { ClusterApp } from "./app.ts";

/** What is left of a render that was replaced: the cleanup has it to remove. */
export const leftRender = "d-00c0ffee";

/**
 * The claim of Mapshot's renderer, with Factorio unpacked and an older map. What the renderer makes was made before, by the
 * stand-in: its command puts it in place.
 */
export async function layMapshot(cluster: Cluster): Promise<ClusterApp> {
  const home = await cluster.namespace("mapshot");
  const { claim, folder } = await home.localClaim("maps");
  const renders = join(folder, "factorio/script-output/mapshot/latest");
  await mkdir(join(folder, "factorio/bin/x64"), { recursive: true });
  await writeFile(join(folder, "factorio/bin/x64/factorio"), "");
  await writeRender(renders, { tick: 60 });
  await mkdir(join(renders, leftRender));
  await writeFile(join(renders, leftRender, "mapshot.json"), "{}");
  await mkdir(join(folder, "made"));
  const hash = await writeRender(join(folder, "made"), {});
  const at = '"$FACTORIO/script-output/mapshot/latest/"';
  const command = `mkdir -p ${at}; cp -r /mapshot/made/. ${at}; echo "Output: $FACTORIO/script-output/mapshot/latest/d-${hash}"`;
  return {
    name: "mapshot",
    home,
    settings: {
      render: { command, graceSeconds: 1 },
      kubernetes: { namespace: home.name, claim, companion: { image: keepsake } },
    },
    async adapt() {
      // There is no registry to ask for a newer renderer.
      const path = "/spec/jobTemplate/spec/template/spec/initContainers/1/imagePullPolicy";
      const patch = JSON.stringify([{ op: "replace", path, value: "IfNotPresent" }]);
      await home.kubectl("patch", "cronjob", "keepsake-mapshot-render", "--type=json", `--patch=${patch}`);
    },
    content: async () => new Map(Object.entries(await sums(renders))),
    destroy: () => rm(renders, { recursive: true }),
    expectBack: async () => {},
  };
}
