import { copyFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { readState } from "../../../deploy/local/lab/factorio/game.ts";
import { app } from "../../../functions/factorio/app.ts";
import { describeRun, runKilled } from "../../crash/kill.ts";
import { contentHash, expectSoundNas, expectTidyNas } from "../../crash/nas-checks.ts";
import { killStories, type Story } from "../../crash/story.ts";
import { layLab, places, play } from "../../worlds/factorio.ts";
import { joinCluster } from "../join.ts";
import { startWitness, type Witness } from "./witness.ts";

const cluster = await joinCluster();
const home = await cluster.namespace("factorio");

interface World {
  folder: string;
  known: Set<string>;
  witness: Witness;
}

/** An NAS with one restore point, and a save that is newer. */
async function lay(folder: string): Promise<void> {
  await layLab(folder, { workload: undefined });
  await play(folder, 2000);
  const { state, config } = places(folder);
  const backup = describeRun("factorio", { operation: "backup", allow: [] });
  const done = await runKilled(state, config, backup, 0);
  expect(done.outcome?.failure, done.log).toBeUndefined();
  await play(folder, 3000);
}

async function open(folder: string): Promise<World> {
  const { saves, config } = places(folder);
  const witness = await startWitness(home, folder, { look: "ls -i saves/*.zip", hold: "saves/*.zip" });
  const kubernetes = { namespace: home.name, workload: { name: witness.name } };
  const settings = { nas: "./nas", state: "./state", apps: { factorio: { saves, warnSeconds: 0, kubernetes } } };
  await writeFile(config, JSON.stringify(settings));
  await copyFile(cluster.kubeconfig, join(folder, "kubeconfig"));
  const known = new Set<string>();
  for (const root of [join(places(folder).backups, "history"), saves]) {
    for (const name of await readdir(root)) if (name.endsWith(".zip")) known.add(await contentHash(join(root, name)));
  }
  return { folder, known, witness };
}

/** What the server would load: the moment in the game, and its file; nothing of another state is beside it. */
async function stateOf(folder: string): Promise<string> {
  const { saves } = places(folder);
  const [name = "", ...others] = (await readdir(saves)).filter((file) => file.endsWith(".zip"));
  expect(others).toEqual([]);
  return `${name} at ${(await readState(join(saves, name))).tick}`;
}
const [before, after] = ["_autosave1.zip at 3000", "homelab.zip at 2000"];

const restore: Story<World> = {
  app: "factorio",
  name: "factorio, on a cluster: a restore, server running",
  request: { operation: "restore", at: "latest", allow: [] },
  sample: 3,
  outcomes: ["restored"],
  lay,
  open,
  close: ({ witness }) => witness.remove(),
  configPath: (folder) => places(folder).config,
  runner: join(import.meta.dirname, "outside-runner.ts"),
  async lookAfterKill({ folder, known, witness }, killed) {
    await expectSoundNas(places(folder).nas, "factorio", app.artefacts, known);
    if (await witness.isUp()) expect([before, after], killed.log).toContain(await stateOf(folder));
  },
  async lookAfterMend({ folder, witness }) {
    await witness.expectBack();
    expect([before, after]).toContain(await stateOf(folder));
  },
  async lookAtEnd({ folder, known, witness }, runIds) {
    await expectSoundNas(places(folder).nas, "factorio", app.artefacts, known);
    await expectTidyNas(places(folder).nas, "factorio", runIds);
    await witness.expectBack();
    expect(await stateOf(folder)).toBe(after);
    return readdir(join(places(folder).saves, ".keepsake"));
  },
};

killStories<World>([restore]);
