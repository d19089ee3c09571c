import { copyFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { addModel, labModels, manifestName } from "../../../deploy/local/lab/ollama/make-store.ts";
import { tempFolder } from "../../../shared/testing.ts";
import { describeRun, runKilled } from "../../crash/kill.ts";
import { killStories, type Story } from "../../crash/story.ts";
import { layLab, places, sums } from "../../worlds/ollama.ts";
import { joinCluster } from "../join.ts";
import { startWitness, type Witness } from "./witness.ts";

const cluster = await joinCluster();
const home = await cluster.namespace("ollama");
/** Models are what Ollama's manifests say; blobs are never changed once they have their name. */
const ollama = { look: "find ollama/models/manifests -type f -exec ls -i {} +", hold: "ollama/models/blobs/sha256-*" };

interface World {
  folder: string;
  witness: Witness;
  before: Record<string, string>;
}

async function layBackedUp(folder: string): Promise<void> {
  await layLab(folder, { workload: undefined });
  const { state, config } = places(folder);
  const done = await runKilled(state, config, describeRun("ollama", { operation: "backup", allow: [] }), 0);
  expect(done.outcome?.failure, done.log).toBeUndefined();
}

const manifestOf = (folder: string, name: string) => join(places(folder).models, "manifests", manifestName(name));

async function open(folder: string): Promise<World> {
  const { models, config } = places(folder);
  const witness = await startWitness(home, folder, ollama);
  const kubernetes = { namespace: home.name, workload: { name: witness.name } };
  const settings = { nas: "./nas", state: "./state", apps: { ollama: { models, keepDeletedDays: 0, kubernetes } } };
  await writeFile(config, JSON.stringify(settings));
  await copyFile(cluster.kubeconfig, join(folder, "kubeconfig"));
  return { folder, witness, before: await sums(models) };
}

const common = {
  app: "ollama",
  open,
  close: ({ witness }: World) => witness.remove(),
  configPath: (folder: string) => places(folder).config,
  runner: join(import.meta.dirname, "outside-runner.ts"),
};

/** What the store has of what the NAS has. */
async function isRestored(folder: string): Promise<boolean> {
  const [here, there] = [await sums(places(folder).models), await sums(places(folder).mirror)];
  return Object.entries(there).every(([path, sum]) => here[path] === sum);
}

const backup: Story<World> = {
  ...common,
  name: "ollama, on a cluster: a backup that brings a model and lets one go, server running",
  // It stops nothing.
  sample: 1,
  request: { operation: "backup", allow: [] },
  outcomes: ["created", "unchanged"],
  async lay(folder) {
    await layBackedUp(folder);
    await rm(manifestOf(folder, "qwen2.5:0.5b"));
    const licence = labModels(300_000)[0]?.layers[2] as never;
    const layers = [{ kind: "model" as const, key: "mine", sizeBytes: 20_000 }, licence];
    await addModel(places(folder).models, { name: "me/mine:v1", layers });
  },
  async lookAfterKill() {},
  lookAfterMend: ({ witness }) => witness.expectBack(),
  async lookAtEnd({ folder, witness, before }) {
    await witness.expectBack();
    expect(await sums(places(folder).models), "the app's data is as it was").toEqual(before);
    return sums(places(folder).mirror);
  },
};

const restore: Story<World> = {
  ...common,
  name: "ollama, on a cluster: a restore over a damaged store, server running",
  sample: 2,
  request: { operation: "restore", allow: [] },
  outcomes: ["restored"],
  async lay(folder) {
    await layBackedUp(folder);
    await rm(manifestOf(folder, "qwen2.5:0.5b"));
    await truncate(manifestOf(folder, "llama3.2:1b"), 20);
  },
  async lookAfterKill({ folder, before, witness }, killed) {
    if ((await witness.isUp()) && !(await isRestored(folder)))
      expect(await sums(places(folder).models), `it is up over old or new: ${killed.log}`).toEqual(before);
  },
  async lookAfterMend({ folder, before, witness }) {
    await witness.expectBack();
    if (!(await isRestored(folder))) expect(await sums(places(folder).models), "old or new").toEqual(before);
  },
  async lookAtEnd({ folder, witness }) {
    await witness.expectBack();
    expect(await isRestored(folder)).toBe(true);
    return sums(places(folder).models);
  },
};

test("startWitness() tells of whoever changes the data of a server that runs, so these stories can fail", async () => {
  const folder = await tempFolder();
  await layLab(folder);
  const { witness } = await open(folder);
  await witness.expectBack();
  const manifest = manifestOf(folder, "qwen2.5:0.5b");
  await rename(manifest, `${manifest}.away`);
  await expect
    .poll(() =>
      witness.expectBack().then(
        () => "nothing",
        () => "told",
      ),
    )
    .toBe("told");
  await witness.remove();
});

killStories<World>([backup, restore]);
