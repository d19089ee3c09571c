import {
  appendFile,
  cp,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { addModel, beginPull, labModels, type MadeModel, makeStore } from "../../deploy/local/lab/ollama/make-store.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import {
  configure,
  isRunning,
  layLab,
  modelsThatLoad,
  places,
  startServer,
  stopServer,
  sums,
} from "../worlds/ollama.ts";
import { carry } from "../worlds/run.ts";

const dayMs = 86_400_000;
const hf = "hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M";
const everything = ["gpt-oss:20b", hf, "llama3.2:1b", "qwen2.5:0.5b"];

let folder: string;
let made: MadeModel[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "keepsake-promises-"));
  made = await layLab(folder, { workload: undefined });
});
afterEach(async () => {
  await stopServer(folder);
  await rm(folder, { recursive: true, force: true });
});

const run = (
  request: Partial<RunRequest> & { operation: RunRequest["operation"] },
  options: Parameters<typeof carry>[3] = {},
) =>
  carry(
    places(folder).config,
    "ollama",
    {
      ...(request.operation === "backup" || request.operation === "restore" ? { allow: [] } : {}),
      ...request,
    } as RunRequest,
    options,
  );
const backUp = (options: Parameters<typeof carry>[3] = {}) => run({ operation: "backup" }, options);
const later = (days: number) => backUp({ now: () => Date.now() + days * dayMs });
const restore = (more: Partial<RunRequest> = {}) => run({ operation: "restore", ...more } as never);
const onNas = () => sums(places(folder).mirror);
const here = () => sums(places(folder).models);
const modelOf = (name: string) => made.find((model) => model.name === name) as MadeModel;
const weightsOf = (name: string) => join(places(folder).models, "blobs", modelOf(name).blobs[0] as string);
const remove = (name: string) => rm(join(places(folder).models, modelOf(name).manifestPath));
const flip = async (path: string, at = 4500) => {
  const file = await open(path, "r+");
  await file.write(Buffer.from([0x55, 0xaa]), 0, 2, at);
  await file.close();
};
/** As they look after a year: what is old and has no manifest is what Ollama removes. */
const age = async () => {
  const blobs = join(places(folder).models, "blobs");
  for (const name of await readdir(blobs)) await utimes(join(blobs, name), 1e9, 1e9);
};

test("a backup is every model of every registry, blob by blob, and nothing else", async () => {
  await (await beginPull(places(folder).models, { kind: "model", key: "left", sizeBytes: 4096 })).close();
  await age();
  const { outcome } = await backUp();
  expect(outcome).toMatchObject({ outcome: "created", warnings: [] });
  const wanted = await here();
  for (const name of Object.keys(wanted)) if (name.includes("-partial")) delete wanted[name];
  expect(await onNas()).toEqual(wanted);
  for (const [path, sum] of Object.entries(wanted)) {
    if (path.startsWith("blobs/")) expect(path).toBe(`blobs/sha256-${sum}`);
  }
  expect(await readdir(join(places(folder).nas, "ollama"))).toEqual(["backups"]);
  expect((await readdir(places(folder).mirror)).sort()).toEqual(["blobs", "manifests"]);
});

test("the keys beside the models are never copied, and the private one is never opened", async () => {
  const { home, nas } = places(folder);
  await rm(join(home, "id_ed25519"));
  // Whoever opens it waits for ever.
  await symlink("/dev/tty", join(home, "id_ed25519"));
  await backUp();
  const copied = (await readdir(nas, { recursive: true })).filter((name) => name.includes("id_ed25519"));
  expect(copied).toEqual([]);
  const key = (await readFile(join(home, "id_ed25519.pub"), "utf8")).split(" ")[1] as string;
  for (const name of await readdir(join(nas, ".keepsake"), { recursive: true, withFileTypes: true })) {
    if (name.isFile()) expect(await readFile(join(name.parentPath, name.name), "utf8")).not.toContain(key);
  }
});

test("an unchanged store is neither copied nor read again, and Ollama is not stopped for it (a gate that came too late left it down elsewhere)", async () => {
  await configure(folder);
  await startServer(folder);
  expect((await backUp()).outcome.outcome).toBe("created");
  expect(await isRunning(folder)).toBe(true);
  await age();
  const { outcome, steps } = await backUp();
  expect(outcome.outcome).toBe("unchanged");
  expect(steps.filter((step) => /stop ollama|blobs|manifests/.test(step))).toEqual([]);
  expect(await isRunning(folder)).toBe(true);
});

test("Ollama is stopped for the sync by default, and comes back as it was", async () => {
  await configure(folder);
  await startServer(folder);
  const { steps } = await backUp();
  const [stop, start] = ["stop ollama", "start ollama"].map((what) => steps.indexOf(what)) as [number, number];
  const copies = steps.flatMap((step, index) => (/rename .*\/blobs\//.test(step) ? [index] : []));
  expect(stop).toBeGreaterThan(0);
  expect(Math.min(...copies)).toBeGreaterThan(stop);
  expect(Math.max(...copies)).toBeLessThan(start);
  expect(await isRunning(folder)).toBe(true);
});

test("with `stop: end` the blobs are copied while Ollama runs, and it is stopped for the manifests", async () => {
  await configure(folder, { stop: "end" });
  await startServer(folder);
  const { steps, outcome } = await backUp();
  expect(outcome.outcome).toBe("created");
  const stop = steps.indexOf("stop ollama");
  const last = (kind: RegExp) => steps.findLastIndex((step) => kind.test(step));
  expect(last(/rename .*\/models\/blobs\//)).toBeLessThan(stop);
  expect(steps.findIndex((step) => /rename .*\/models\/manifests\//.test(step))).toBeGreaterThan(stop);
  expect(await onNas()).toEqual(await here());
});

test("an Ollama that did not run is not started by a backup", async () => {
  await configure(folder);
  expect((await backUp()).outcome.outcome).toBe("created");
  expect(await isRunning(folder)).toBe(false);
});

test("a new model is one more, and only what the NAS lacks of it is copied", async () => {
  await backUp();
  const shared = labModels(300_000)[0]?.layers[1];
  await addModel(places(folder).models, {
    name: "me/mine:v1",
    layers: [{ kind: "model", key: "mine", sizeBytes: 9000 }, shared as never],
  });
  const { outcome, steps } = await backUp();
  expect(outcome.outcome).toBe("created");
  expect(steps.filter((step) => /^rename .*\/models\/blobs\//.test(step))).toHaveLength(2);
  expect(await onNas()).toEqual(await here());
});

test("a model that is incomplete is left out and named, the NAS's copy of it stays, and the others go on", async () => {
  await backUp();
  const before = await onNas();
  await truncate(weightsOf("gpt-oss:20b"), 5000);
  const added = await addModel(places(folder).models, {
    name: "new",
    layers: [{ kind: "model", key: "n", sizeBytes: 9000 }],
  });
  const { outcome } = await backUp();
  expect(outcome.outcome).toBe("created");
  expect(outcome.warnings.join()).toMatch(/gpt-oss:20b is left out: blobs\/sha256-.* has 5000/);
  expect(await onNas()).toMatchObject(before);
  expect(await onNas()).toHaveProperty([added.manifestPath]);
  const again = await later(30);
  expect(again.outcome.warnings.join()).toContain("gpt-oss:20b is left out");
  expect(await onNas()).toMatchObject(before);
});

test("a blob whose content is not what its name says is never published, nor the model that needs it", async () => {
  await flip(weightsOf("gpt-oss:20b"));
  const { outcome } = await backUp();
  expect(outcome.outcome).toBe("created");
  expect(outcome.warnings.join()).toContain(modelOf("gpt-oss:20b").blobs[0]);
  const nas = await onNas();
  expect(nas).not.toHaveProperty([`blobs/${modelOf("gpt-oss:20b").blobs[0]}`]);
  expect(nas).not.toHaveProperty([modelOf("gpt-oss:20b").manifestPath]);
  expect(nas).toHaveProperty([modelOf("llama3.2:1b").manifestPath]);
});

test("an empty store is refused, and the good copies stay", async () => {
  await backUp();
  const before = await onNas();
  await rm(join(places(folder).models, "manifests"), { recursive: true });
  expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code: "source_empty" } });
  await rm(places(folder).models, { recursive: true });
  expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code: "source_missing" } });
  expect(await onNas()).toEqual(before);
});

test("a store in which no model is whole is refused", async () => {
  for (const { name } of made) await rm(weightsOf(name));
  expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code: "source_invalid" } });
});

test("another store than before is refused until it is accepted", async () => {
  await backUp();
  const { home } = places(folder);
  await rm(join(home, "id_ed25519.pub"));
  await rm(join(home, "id_ed25519"));
  await makeStore(home, labModels(300_000));
  expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code: "source_replaced" } });
  expect((await run({ operation: "accept" })).outcome.outcome).toBe("accepted");
  expect((await backUp()).outcome.failure).toBeUndefined();
});

test("a model that Ollama has no more stays on the NAS for seven days, then goes with what only it needs", async () => {
  await backUp();
  const before = await onNas();
  await remove("gpt-oss:20b");
  expect((await backUp()).outcome.failure).toBeUndefined();
  expect((await later(6)).outcome.outcome).toBe("unchanged");
  expect(await onNas()).toEqual(before);
  const { outcome } = await later(8);
  const { manifestPath, blobs } = modelOf("gpt-oss:20b");
  const others = new Set(made.filter(({ name }) => name !== "gpt-oss:20b").flatMap((model) => model.blobs));
  const gone = [manifestPath, ...blobs.filter((blob) => !others.has(blob)).map((blob) => `blobs/${blob}`)];
  expect(outcome.removed?.toSorted()).toEqual(gone.toSorted());
  const wanted = { ...before };
  for (const path of gone) delete wanted[path];
  expect(await onNas()).toEqual(wanted);
  expect((await later(9)).outcome).toMatchObject({ outcome: "unchanged", removed: [] });
});

test("a model that comes back within the seven days does not go", async () => {
  await backUp();
  const before = await onNas();
  const path = join(places(folder).models, modelOf("gpt-oss:20b").manifestPath);
  const manifest = await readFile(path);
  await rm(path);
  await backUp();
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, manifest);
  await later(6);
  await later(20);
  expect(await onNas()).toEqual(before);
});

test("when most models are gone at once nothing goes, run after run, until ALLOW=smaller (a sync brought a loss to the NAS elsewhere)", async () => {
  await backUp();
  const before = await onNas();
  for (const name of everything.slice(0, 3)) await remove(name);
  const added = await addModel(places(folder).models, {
    name: "new",
    layers: [{ kind: "model", key: "n", sizeBytes: 9000 }],
  });
  for (const days of [0, 10, 30]) {
    const { outcome } = await later(days);
    expect(outcome.warnings.join()).toContain("3 of the NAS's");
    expect(await onNas()).toMatchObject(before);
  }
  expect(await onNas()).toHaveProperty([added.manifestPath]);
  const now = () => Date.now() + 31 * dayMs;
  expect((await run({ operation: "backup", allow: ["smaller"] }, { now })).outcome.failure).toBeUndefined();
  expect(await onNas()).toMatchObject(before);
  expect((await later(39)).outcome.removed?.length).toBeGreaterThan(3);
  expect(Object.keys(await onNas()).sort()).toEqual(
    [...added.blobs, ...modelOf("qwen2.5:0.5b").blobs]
      .map((blob) => `blobs/${blob}`)
      .concat(added.manifestPath, modelOf("qwen2.5:0.5b").manifestPath)
      .sort(),
  );
});

test("what the incumbent, Finder or somebody else has put on the NAS stays", async () => {
  const { mirror } = places(folder);
  await backUp();
  const others = {
    "blobs/.DS_Store": "Finder",
    "manifests/.DS_Store": "Finder",
    "manifests/registry.ollama.ai/library/gpt-oss/.DS_Store": "Finder",
    [`blobs/${modelOf("gpt-oss:20b").blobs[0]}-partial`]: "half a download",
    "readme.txt": "mine",
  };
  for (const [path, content] of Object.entries(others)) await writeFile(join(mirror, path), content);
  await remove("gpt-oss:20b");
  for (const days of [0, 8, 16]) await later(days);
  for (const [path, content] of Object.entries(others))
    expect(await readFile(join(mirror, path), "utf8")).toBe(content);
  expect((await restore()).outcome.outcome).toBe("restored");
});

test("a download that is under way puts a backup off, one that was given up does not", async () => {
  await configure(folder);
  await backUp();
  const pull = await beginPull(places(folder).models, { kind: "model", key: "big", sizeBytes: 3_000_000 });
  await pull.grow();
  await addModel(places(folder).models, { name: "new", layers: [{ kind: "model", key: "n", sizeBytes: 9000 }] });
  const statePath = join(places(folder).nas, ".keepsake/ollama/state.json");
  const lastGood = async () => JSON.parse(await readFile(statePath, "utf8")).lastGood;
  const before = await lastGood();
  const { outcome, steps } = await backUp();
  expect(await lastGood(), "nothing was saved").toEqual(before);
  expect(outcome).toMatchObject({ outcome: "postponed", message: expect.stringContaining("is being downloaded") });
  expect(steps.join()).not.toMatch(/stop ollama|blobs/);
  await pull.close();
  for (const path of [pull.partial, `${pull.partial}-0`]) await utimes(path, 1e9, 1e9);
  expect((await backUp()).outcome.outcome).toBe("created");
});

test("a model that is being downloaded anew puts a backup off also where nothing is stopped", async () => {
  const [spec] = labModels(300_000);
  await rm(weightsOf("llama3.2:1b"));
  const pull = await beginPull(places(folder).models, spec?.layers[0] as never);
  expect((await backUp()).outcome.outcome).toBe("postponed");
  await pull.close();
  for (const path of [pull.partial, `${pull.partial}-0`]) await utimes(path, 1e9, 1e9);
  const { outcome } = await backUp();
  expect(outcome.outcome).toBe("created");
  expect(outcome.warnings.join()).toContain("llama3.2:1b is left out");
});

test("a restore of everything after the disk was lost: the real start, which removes what is old and unknown, loses nothing", async () => {
  await configure(folder);
  await startServer(folder);
  await age();
  await backUp();
  const before = await here();
  await stopServer(folder);
  await rm(places(folder).models, { recursive: true });
  await startServer(folder);
  const { outcome } = await restore();
  expect(outcome).toMatchObject({ outcome: "restored", warnings: [] });
  expect(await here()).toEqual(before);
  expect(await modelsThatLoad(folder)).toEqual(everything);
  await stopServer(folder);
  expect(await modelsThatLoad(folder)).toEqual(everything);
  expect((await backUp()).outcome.failure).toBeUndefined();
});

test("a restore copies only what is missing or different, also a blob of the right size, and deletes no model", async () => {
  await backUp();
  const added = await addModel(places(folder).models, {
    name: "mine",
    layers: [{ kind: "model", key: "m", sizeBytes: 9000 }],
  });
  const before = await here();
  await flip(weightsOf("gpt-oss:20b"));
  await truncate(weightsOf("llama3.2:1b"), 5000);
  await remove("qwen2.5:0.5b");
  const { outcome, steps } = await restore();
  expect(outcome.outcome).toBe("restored");
  const brought = steps.flatMap((step) => /^create .*\/new\/(.*)/.exec(step)?.[1] ?? []);
  expect(brought.sort()).toEqual(
    [
      `blobs/${modelOf("gpt-oss:20b").blobs[0]}`,
      `blobs/${modelOf("llama3.2:1b").blobs[0]}`,
      modelOf("qwen2.5:0.5b").manifestPath,
    ].sort(),
  );
  expect(await here()).toEqual(before);
  expect(await here()).toHaveProperty([added.manifestPath]);
});

test("an undo puts back what was replaced, and removes no model", async () => {
  await backUp();
  const path = join(places(folder).models, modelOf("llama3.2:1b").manifestPath);
  const theirs = modelOf("qwen2.5:0.5b").manifest;
  await writeFile(path, theirs);
  await remove("gpt-oss:20b");
  await restore();
  expect(await readFile(path, "utf8")).toBe(modelOf("llama3.2:1b").manifest);
  expect((await run({ operation: "undo" })).outcome.outcome).toBe("undone");
  expect(await readFile(path, "utf8")).toBe(theirs);
  expect(await modelsThatLoad(folder)).toContain("gpt-oss:20b");
});

test.for(["llama3.2:1b", hf, "registry.ollama.ai/library/qwen2.5:0.5b"])("one model alone: MODEL=%s", async (only) => {
  await backUp();
  await rm(places(folder).models, { recursive: true });
  await mkdir(places(folder).models);
  expect((await restore({ only } as never)).outcome.outcome).toBe("restored");
  const name = only.replace("registry.ollama.ai/library/", "");
  expect(await modelsThatLoad(folder)).toEqual([name]);
  expect((await readdir(join(places(folder).models, "blobs"))).sort()).toEqual(modelOf(name).blobs.toSorted());
});

test("a model that the NAS does not have is not found, and the answer says what there is", async () => {
  await backUp();
  for (const only of ["nobody:7b", "../../etc/passwd", "llama3.2"]) {
    const { outcome, steps } = await restore({ only } as never);
    expect(outcome).toMatchObject({ outcome: "refused", failure: { code: "not_found" } });
    for (const name of everything) expect(outcome.failure?.hint).toContain(name);
    expect(steps.join()).not.toContain("stop ollama");
  }
});

test("a damaged blob on the NAS is found before Ollama is touched, and the others can be restored alone", async () => {
  await configure(folder);
  await backUp();
  await startServer(folder);
  const before = await here();
  await flip(join(places(folder).mirror, "blobs", modelOf("gpt-oss:20b").blobs[0] as string));
  await rm(weightsOf("gpt-oss:20b"));
  const { outcome, steps } = await restore();
  expect(outcome).toMatchObject({ outcome: "failed", failure: { code: "backup_damaged" } });
  expect(outcome.message).toContain("gpt-oss:20b");
  expect(outcome.failure?.hint).toContain("MODEL=llama3.2:1b");
  expect(steps.join()).not.toContain("stop ollama");
  expect(Object.keys(await here())).toHaveLength(Object.keys(before).length - 1);
  expect((await restore({ only: "llama3.2:1b" } as never)).outcome.outcome).toBe("restored");
});

test("one model can be restored though the NAS has lost a file of another one", async () => {
  await backUp();
  await rm(join(places(folder).mirror, "blobs", modelOf("gpt-oss:20b").blobs[0] as string));
  await rm(places(folder).models, { recursive: true });
  expect((await restore()).outcome).toMatchObject({ outcome: "failed", failure: { code: "backup_damaged" } });
  expect((await restore({ only: "llama3.2:1b" } as never)).outcome.outcome).toBe("restored");
  expect((await restore({ only: "gpt-oss:20b" } as never)).outcome).toMatchObject({
    failure: { code: "backup_damaged" },
  });
  expect(await modelsThatLoad(folder)).toEqual(["llama3.2:1b"]);
});

test("a blob on the NAS that rots is mended by the next backup that reads it", async () => {
  await backUp();
  const blob = join(places(folder).mirror, "blobs", modelOf("gpt-oss:20b").blobs[0] as string);
  const good = await onNas();
  await flip(blob);
  await backUp();
  expect(await onNas()).toEqual(good);
});

test("TO= puts a whole store beside production, which is not touched", async () => {
  await backUp();
  const before = await here();
  const to = join(folder, "beside");
  expect((await restore({ to } as never)).outcome).toMatchObject({ outcome: "restored", restoredTo: to });
  expect(await sums(to)).toEqual(before);
  expect(await here()).toEqual(before);
});

test("the incumbent's tree is restored from, and taken over by the first backup", async () => {
  const { models, mirror } = places(folder);
  const before = await here();
  await mkdir(dirname(mirror), { recursive: true });
  await cp(models, mirror, { recursive: true });
  await rm(models, { recursive: true });
  const { outcome } = await restore();
  expect(outcome.outcome).toBe("restored");
  expect(outcome.warnings.join()).toContain("no checksum of it is known");
  expect(await here()).toEqual(before);
  const taken = await backUp();
  expect(taken.outcome.outcome).toBe("created");
  expect(taken.steps.filter((step) => /^rename .*\/models\//.test(step))).toEqual([]);
  expect(await onNas()).toEqual(before);
});

test("a restore into the names of Ollama 0.40 and newer goes where Ollama looks", async () => {
  await backUp();
  const { models } = places(folder);
  const { manifestPath, manifest } = modelOf("llama3.2:1b");
  const other = modelOf("qwen2.5:0.5b");
  const v2 = manifestPath.replace("manifests/registry.ollama.ai", "manifests-v2/ollama.com");
  await mkdir(dirname(join(models, v2)), { recursive: true });
  await writeFile(join(models, v2), other.manifest);
  expect((await restore()).outcome.outcome).toBe("restored");
  expect(await readFile(join(models, v2), "utf8")).toBe(manifest);
  expect((await backUp()).outcome.failure).toBeUndefined();
  expect(await readFile(join(places(folder).mirror, manifestPath), "utf8")).toBe(manifest);
});

test("a hostile manifest on the NAS leads nowhere", async () => {
  await backUp();
  const { mirror, models } = places(folder);
  const path = join(mirror, modelOf("llama3.2:1b").manifestPath);
  await writeFile(
    path,
    modelOf("llama3.2:1b").manifest.replace(/sha256:[0-9a-f]{64}/, "sha256:../../../../etc/passwd"),
  );
  const before = await here();
  expect((await restore()).outcome).toMatchObject({ failure: { code: "backup_damaged" } });
  expect(await here()).toEqual(before);
  expect((await readdir(models)).filter((name) => !name.startsWith("."))).toEqual(["blobs", "manifests"]);
});

test("a run that meets a blob that shrinks while it is copied fails, and publishes nothing of it", async () => {
  let done = false;
  const { outcome } = await backUp({
    onStep: async (what) => {
      if (done || !/create .*incoming/.test(what)) return;
      done = true;
      for (const { name } of made) await appendFile(weightsOf(name), "more");
    },
  });
  expect(done).toBe(true);
  expect(outcome.failure?.code ?? outcome.warnings.join()).toMatch(/source_changing|is left out/);
  const nas = await onNas();
  for (const [path, sum] of Object.entries(nas)) {
    if (path.startsWith("blobs/")) expect(basename(path)).toBe(`sha256-${sum}`);
  }
  expect((await stat(weightsOf("gpt-oss:20b"))).size).toBeGreaterThan(0);
});
