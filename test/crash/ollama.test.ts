import { createHash } from "node:crypto";
import { readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { expect } from "vitest";
import { addModel, labModels, manifestName } from "../../deploy/local/lab/ollama/make-store.ts";
import { openNas } from "../../shared/nas/nas.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import { configure, isRunning, layLab, places, startServer, stopServer, sums } from "../worlds/ollama.ts";
import { describeRun, runKilled } from "./kill.ts";
import { killStories, type Story } from "./story.ts";

interface World {
  folder: string;
  /** The store as it was before the run. */
  before: Record<string, string>;
}

type Sums = Record<string, string>;

async function carryOut(folder: string, request: RunRequest): Promise<void> {
  const done = await runKilled(join(folder, "state"), places(folder).config, describeRun("ollama", request), 0);
  expect(done.outcome?.failure, done.log).toBeUndefined();
}

const manifestOf = (folder: string, name: string) => join(places(folder).models, "manifests", manifestName(name));

async function weightsOf(folder: string, name: string): Promise<string> {
  const { layers } = JSON.parse(await readFile(manifestOf(folder, name), "utf8"));
  return join(places(folder).models, "blobs", layers[0].digest.replace(":", "-"));
}

/** A backup of four models; since then one has gone, one is new, and one is another one under its old name. */
async function layChanged(folder: string): Promise<void> {
  const { models, mirror } = places(folder);
  await layLab(folder, { workload: undefined });
  await carryOut(folder, { operation: "backup", allow: [] });
  await writeFile(join(mirror, "blobs/.DS_Store"), "Finder was here");
  await rm(manifestOf(folder, "qwen2.5:0.5b"));
  await rm(manifestOf(folder, "llama3.2:1b"));
  const licence = labModels(300_000)[0]?.layers[2] as never;
  for (const name of ["llama3.2:1b", "me/mine:v1"]) {
    await addModel(models, { name, layers: [{ kind: "model", key: `new ${name}`, sizeBytes: 20_000 }, licence] });
  }
}

/** A backup of four models; since then one has gone, one is cut off, and one is another one under its old name. */
async function layDamaged(folder: string): Promise<void> {
  await layLab(folder, { workload: undefined });
  await carryOut(folder, { operation: "backup", allow: [] });
  await rm(manifestOf(folder, "qwen2.5:0.5b"));
  await truncate(await weightsOf(folder, "gpt-oss:20b"), 5000);
  await writeFile(manifestOf(folder, "llama3.2:1b"), await readFile(manifestOf(folder, "gpt-oss:20b")));
}

async function open(folder: string): Promise<World> {
  // What is gone goes at once, so that one run does it all.
  await configure(folder, { keepDeletedDays: 0 });
  await startServer(folder);
  return { folder, before: await sums(places(folder).models) };
}

/** At every moment: a blob is what its name says, and a model that is named is whole. */
function expectSound(store: Sums, manifests: Record<string, string>): void {
  for (const [path, sum] of Object.entries(store)) {
    if (/^blobs\/sha256-[0-9a-f]{64}$/.test(path))
      expect(path, "a blob is what its name says").toBe(`blobs/sha256-${sum}`);
    else expect(path).toMatch(/^manifests\/|^blobs\/\.DS_Store$/);
  }
  for (const [path, text] of Object.entries(manifests)) {
    const { layers, config } = JSON.parse(text);
    for (const { digest } of [...layers, config]) {
      expect(store, `${path} has all its blobs`).toHaveProperty([`blobs/${digest.replace(":", "-")}`]);
    }
  }
}

async function lookAtMirror(folder: string): Promise<Sums> {
  const { mirror } = places(folder);
  const store = await sums(mirror);
  const manifests: Record<string, string> = {};
  for (const path of Object.keys(store)) {
    if (path.startsWith("manifests/")) manifests[path] = await readFile(join(mirror, path), "utf8");
  }
  expect(Object.keys(manifests).length, "no moment without models").toBeGreaterThanOrEqual(3);
  expectSound(store, manifests);
  return store;
}

/** Nothing is left of a killed run, and everybody was told of all of them. */
async function expectTidy(folder: string, runIds: readonly string[]): Promise<void> {
  const folders = openNas(places(folder).nas).app("ollama");
  const hidden = await readdir(folders.hidden, { recursive: true });
  expect(hidden.filter((name) => /(^|\/)\.[^/]*\.tmp$/.test(name))).toEqual([]);
  expect(await readdir(folders.staging).catch(() => []), "staging is empty").toEqual([]);
  expect(await readdir(folders.outbox).catch(() => []), "everything was told").toEqual([]);
  const told = await readdir(folders.runs);
  for (const id of runIds) expect(told).toContain(`${id}.outcome.json`);
  const points = (await readdir(folders.points)).filter((name) => name.endsWith(".json"));
  expect(points, "one manifest").toHaveLength(1);
  const { files } = JSON.parse(await readFile(join(folders.points, points[0] as string), "utf8"));
  const store = await sums(places(folder).mirror);
  for (const { name, sha256 } of files) expect(store[name], `${name} is what the manifest says`).toBe(sha256);
  expect(await readdir(join(folder, "state/workloads")).catch(() => []), "no stop is remembered").toEqual([]);
  expect(await isRunning(folder), "the server came back").toBe(true);
}

const common = {
  app: "ollama",
  open,
  close: ({ folder }: World) => stopServer(folder).then(() => {}),
  configPath: (folder: string) => places(folder).config,
};

const backup: Story<World> = {
  ...common,
  name: "ollama: a backup that brings a model, replaces one and lets one go, server running",
  request: { operation: "backup", allow: [] },
  sample: 4,
  outcomes: ["created", "unchanged"],
  lay: layChanged,
  async lookAfterKill({ folder }) {
    await lookAtMirror(folder);
  },
  async lookAtEnd({ folder, before }, runIds) {
    await expectTidy(folder, runIds);
    expect(await sums(places(folder).models), "the app's data is as it was").toEqual(before);
    return lookAtMirror(folder);
  },
};

/** Whether the store is what the NAS has, with whatever else it has. */
async function isRestored(folder: string): Promise<boolean> {
  const [here, there] = [await sums(places(folder).models), await sums(places(folder).mirror)];
  return Object.entries(there).every(([path, sum]) => here[path] === sum);
}

async function restoredOr(before: Sums, folder: string, why: string): Promise<void> {
  if (await isRestored(folder)) return;
  expect(await sums(places(folder).models), why).toEqual(before);
}

const restoring: Pick<Story<World>, "lookAfterKill" | "lookAfterMend" | "lookAtEnd"> = {
  async lookAfterKill({ folder, before }, killed) {
    await lookAtMirror(folder);
    if (await isRunning(folder)) await restoredOr(before, folder, `it is up over old or new: ${killed.log}`);
  },
  async lookAfterMend({ folder, before }) {
    expect(await isRunning(folder), "the server came back").toBe(true);
    await restoredOr(before, folder, "old or new");
  },
  async lookAtEnd({ folder }, runIds) {
    await expectTidy(folder, runIds);
    const hidden = join(places(folder).models, ".keepsake");
    expect(await readdir(hidden), "the journal is closed").toEqual(["replaced"]);
    return sums(places(folder).models);
  },
};

const restore: Story<World> = {
  ...common,
  ...restoring,
  name: "ollama: a restore over a damaged store, server running",
  request: { operation: "restore", allow: [] },
  sample: 3,
  outcomes: ["restored"],
  lay: layDamaged,
};

const isUndone = async (folder: string) =>
  createHash("sha256")
    .update(await readFile(manifestOf(folder, "llama3.2:1b")))
    .digest("hex") ===
  createHash("sha256")
    .update(await readFile(manifestOf(folder, "gpt-oss:20b")))
    .digest("hex");

const undo: Story<World> = {
  ...common,
  ...restoring,
  name: "ollama: the undo of a restore, server running",
  request: { operation: "undo" },
  sample: 3,
  outcomes: ["undone", "flushed"],
  // An undo of an undo brings the restored data back; so one that was complete is not told again.
  requestAfter: async ({ folder }) => ({ operation: (await isUndone(folder)) ? "flush" : "undo" }),
  async lay(folder) {
    await layDamaged(folder);
    await carryOut(folder, { operation: "restore", allow: [] });
    await rm(join(folder, "state/runs"), { recursive: true, force: true });
  },
  async lookAfterMend({ folder, before }) {
    expect(await isRunning(folder), "the server came back").toBe(true);
    if (!(await isUndone(folder))) expect(await sums(places(folder).models)).toEqual(before);
  },
  async lookAfterKill({ folder, before }) {
    await lookAtMirror(folder);
    if (!(await isRunning(folder)) || (await isUndone(folder))) return;
    expect(await sums(places(folder).models), "it is up over old or new").toEqual(before);
  },
  async lookAtEnd(world, runIds) {
    expect(await isUndone(world.folder)).toBe(true);
    const weights = await weightsOf(world.folder, "gpt-oss:20b");
    expect((await readFile(weights)).length, "also the blob that was cut off is back").toBe(5000);
    expect(basename(weights)).toMatch(/^sha256-/);
    return restoring.lookAtEnd(world, runIds);
  },
};

killStories([backup, restore, undo]);
