import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { readState } from "../../../deploy/local/lab/factorio/game.ts";
import { describeRun, runKilled } from "../../crash/kill.ts";
import { contentHash } from "../../crash/nas-checks.ts";
import { layLab, places, play } from "../../worlds/factorio.ts";
import type { Cluster } from "../cluster.ts";
import type { Namespace } from "../namespace.ts";
import { startWitness, type Witness } from "./witness.ts";

/* A Factorio whose server is a pod, while its claim, the NAS and its runs are of this machine. */

export interface World {
  folder: string;
  known: Set<string>;
  witness: Witness;
}

/** An NAS with one restore point, and a save that is newer. */
export async function lay(folder: string): Promise<void> {
  await layLab(folder, { workload: undefined });
  await play(folder, 2000);
  const { state, config } = places(folder);
  const backup = describeRun("factorio", { operation: "backup", allow: [] });
  const done = await runKilled(state, config, backup, 0);
  expect(done.outcome?.failure, done.log).toBeUndefined();
  await play(folder, 3000);
}

/**
 * @param kubeconfig How its runs reach the API; as the administrator when absent.
 * @param refuses A file with which the server does not start.
 */
export async function open(
  folder: string,
  cluster: Cluster,
  home: Namespace,
  { kubeconfig, refuses }: { kubeconfig?: string; refuses?: string } = {},
): Promise<World> {
  const { saves, config } = places(folder);
  const witness = await startWitness(home, folder, {
    ...{ look: "ls -i saves/*.zip", hold: "saves/*.zip" },
    ...(refuses !== undefined && { refuses }),
  });
  const kubernetes = { namespace: home.name, workload: { name: witness.name } };
  const settings = {
    nas: "./nas",
    state: "./state",
    secrets: "./secrets",
    apps: { factorio: { saves, warnSeconds: 0, kubernetes } },
  };
  await writeFile(config, JSON.stringify(settings));
  await writeFile(join(folder, "kubeconfig"), kubeconfig ?? (await readFile(cluster.kubeconfig)));
  const known = new Set<string>();
  for (const root of [join(places(folder).backups, "history"), saves]) {
    for (const name of await readdir(root)) if (name.endsWith(".zip")) known.add(await contentHash(join(root, name)));
  }
  return { folder, known, witness };
}

/** What the server would load: the moment in the game, and its file; nothing of another state is beside it. */
export async function stateOf(folder: string): Promise<string> {
  const { saves } = places(folder);
  const [name = "", ...others] = (await readdir(saves)).filter((file) => file.endsWith(".zip"));
  expect(others).toEqual([]);
  return `${name} at ${(await readState(join(saves, name))).tick}`;
}
export const [before, after] = ["_autosave1.zip at 3000", "homelab.zip at 2000"];
