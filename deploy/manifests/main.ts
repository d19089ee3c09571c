import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadAppTypes } from "../../functions/types.ts";
import { parseConfig } from "../../shared/config.ts";
import { loadStackFile } from "../../shared/stack/stack-file.ts";
import { kustomization, manifestsOf } from "./manifests.ts";
import { siteOf } from "./site.ts";

const project = join(import.meta.dirname, "../..");

/** The files of deploy/kustomize, made of a keepsake.yaml. */
export async function filesOf(configPath: string): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(configPath, "utf8");
  // As runs see it: paths in it that are beside the file are beside it there.
  const site = siteOf(parseConfig(text, "/etc/keepsake/keepsake.yaml", await loadAppTypes()), text);
  const functionNames = (await loadStackFile(join(project, "stack.yml"), {})).map(({ service }) => service);
  return kustomization(manifestsOf(site, { functionNames }));
}

/** `node deploy/manifests/main.ts [--config keepsake.yaml] [--to folder]` */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      config: { type: "string", default: join(project, "deploy/keepsake.yaml") },
      to: { type: "string", default: join(project, "deploy/kustomize") },
    },
  });
  await mkdir(values.to, { recursive: true });
  for (const [name, text] of await filesOf(values.config)) await writeFile(join(values.to, name), text);
}

if (import.meta.main) await main();
