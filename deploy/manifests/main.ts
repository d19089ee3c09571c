import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadAppTypes } from "../../functions/types.ts";
import { parseConfig } from "../../shared/config.ts";
import { loadStackFile } from "../../shared/stack/stack-file.ts";
import { knativeManifests } from "./knative.ts";
import { kustomization, manifestsOf } from "./manifests.ts";
import { siteOf } from "./site.ts";

const project = join(import.meta.dirname, "../..");

/** The files of deploy/kustomize and, where Knative is to carry the functions, of deploy/knative. */
export async function filesOf(configPath: string, platform: Platform): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(configPath, "utf8");
  // As runs see it: paths in it that are beside the file are beside it there.
  const site = siteOf(parseConfig(text, "/etc/keepsake/keepsake.yaml", await loadAppTypes()), text);
  const stack = await loadStackFile(join(project, "stack.yml"), {});
  if (platform === "knative") return kustomization(knativeManifests(site, stack));
  return kustomization(manifestsOf(site, { functionNames: stack.map(({ service }) => service) }));
}

const platforms = ["kustomize", "knative"] as const;
type Platform = (typeof platforms)[number];

/** `node deploy/manifests/main.ts [--config keepsake.yaml] [--to folder]`: the two folders of files in that folder. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      config: { type: "string", default: join(project, "deploy/keepsake.yaml") },
      to: { type: "string", default: join(project, "deploy") },
    },
  });
  for (const platform of platforms) {
    const folder = join(values.to, platform);
    await mkdir(folder, { recursive: true });
    for (const [name, text] of await filesOf(values.config, platform)) await writeFile(join(folder, name), text);
  }
}

if (import.meta.main) await main();
