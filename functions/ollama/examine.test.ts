import { cp, mkdir, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { addModel, beginPull } from "../../deploy/local/lab/ollama/make-store.ts";
import { type Lab, makeLab } from "../../deploy/local/lab/ollama/testing.ts";
import { app } from "./app.ts";
import { backup } from "./backup.ts";
import { examineStore } from "./examine.ts";

const examine = ({ ctx, nas }: Lab) => examineStore(ctx, { root: nas });

test("examine() gives the same fingerprint when Ollama touches a blob, and another one when a model changes", async () => {
  const lab = await makeLab();
  const first = await examine(lab);
  const [llama, gpt] = lab.made as [Lab["made"][0], Lab["made"][0]];
  await utimes(join(lab.models, "blobs", llama.blobs[0] as string), 1, 1);
  expect((await examine(lab)).fingerprint).toBe(first.fingerprint);
  await writeFile(join(lab.models, llama.manifestPath), `${llama.manifest}\n`);
  const second = await examine(lab);
  expect(second.fingerprint).not.toBe(first.fingerprint);
  await rm(join(lab.models, gpt.manifestPath));
  const third = await examine(lab);
  expect(third.fingerprint).not.toBe(second.fingerprint);
  await addModel(lab.models, { name: "new", layers: [{ kind: "model", key: "n", sizeBytes: 4096 }] });
  expect((await examine(lab)).fingerprint).not.toBe(third.fingerprint);
});

test("examine() gives another fingerprint when a blob loses bytes, or comes back", async () => {
  const lab = await makeLab();
  const first = await examine(lab);
  const weights = join(lab.models, "blobs", lab.made[1]?.blobs[0] as string);
  await cp(weights, `${lab.root}/saved`);
  await truncate(weights, 100);
  const second = await examine(lab);
  expect(second.fingerprint).not.toBe(first.fingerprint);
  expect(second.models.map(({ name }) => name)).not.toContain("gpt-oss:20b");
  await cp(`${lab.root}/saved`, weights);
  expect((await examine(lab)).fingerprint).toBe(first.fingerprint);
});

test("examine() gives another fingerprint when a wait ends", async () => {
  const lab = await makeLab();
  await cp(lab.models, lab.nas, { recursive: true });
  await rm(join(lab.models, lab.made[1]?.manifestPath as string));
  const first = await examine(lab);
  const files = [{ kind: "file", name: "x", sizeBytes: 1, sha256: "", checksum: "" }];
  const at = (days: number) => {
    const manifest = {
      version: 1 as const,
      id: "",
      sequence: 1,
      takenAt: "",
      app: "",
      type: "",
      runId: "",
      files,
      facts: first.memory,
    };
    const ctx = { ...lab.ctx, now: () => Date.now() + days * 86_400_000 };
    return examineStore(ctx, { root: lab.nas, manifest });
  };
  expect((await at(6)).fingerprint).toBe(first.fingerprint);
  expect((await at(8)).fingerprint).not.toBe(first.fingerprint);
});

test("examine() tells what lies among the manifests and is none, with what to do", async () => {
  const lab = await makeLab();
  await writeFile(join(lab.models, "manifests/registry.ollama.ai/library/llama3.2/.DS_Store"), "Finder");
  await writeFile(join(lab.models, "manifests/registry.ollama.ai/library/llama3.2/torn"), "{");
  const { models } = await examine(lab);
  expect(models).toHaveLength(4);
  expect(lab.warnings).toEqual([
    expect.stringMatching(/llama3\.2\/\.DS_Store" is left out: .* Remove it\.$/),
    expect.stringMatching(/llama3\.2\/torn" is left out: it is no manifest: .*What the NAS has of this model stays\.$/),
  ]);
});

test("examine() puts a backup off for a download only where it would be cut off, or is missed", async () => {
  const lab = await makeLab();
  const pull = await beginPull(lab.models, { kind: "model", key: "other", sizeBytes: 9000 });
  await pull.close();
  expect((await examine(lab)).postponed).toBeUndefined();
  const stopping = { ...lab, ctx: { ...lab.ctx, canStop: true } };
  expect((await examine(stopping)).postponed).toContain("is being downloaded");
  const settings = { ...lab.ctx.settings, pullIdleMinutes: 0 };
  expect((await examine({ ...stopping, ctx: { ...stopping.ctx, settings } })).postponed).toBeUndefined();
});

test("examine() puts a first backup off while the first model is being downloaded", async () => {
  const lab = await makeLab();
  await rm(join(lab.models, "manifests"), { recursive: true });
  await (await beginPull(lab.models, { kind: "model", key: "first", sizeBytes: 9000 })).close();
  expect((await examine({ ...lab, ctx: { ...lab.ctx, canStop: true } })).postponed).toBeDefined();
});

test("examine() takes a blob that is a link, as people do who keep weights elsewhere, and reads what it leads to", async () => {
  const lab = await makeLab();
  const weights = join(lab.models, "blobs", lab.made[1]?.blobs[0] as string);
  await mkdir(join(lab.root, "elsewhere"));
  await cp(weights, join(lab.root, "elsewhere/weights.gguf"));
  await rm(weights);
  await symlink(join(lab.root, "elsewhere/weights.gguf"), weights);
  expect((await examine(lab)).models).toHaveLength(4);
  expect(lab.warnings).toEqual([]);
});

test("plan() has every blob once and before the manifests, which need theirs and close", async () => {
  const lab = await makeLab();
  const { units } = await backup.plan(lab.ctx, await examine(lab), { root: lab.nas });
  const paths = units.map(({ path }) => path);
  expect(new Set(paths).size).toBe(paths.length);
  const firstManifest = paths.findIndex((path) => path.startsWith("manifests/"));
  expect(paths.slice(0, firstManifest).every((path) => path.startsWith("blobs/sha256-"))).toBe(true);
  expect(paths.slice(firstManifest).sort()).toEqual(lab.made.map(({ manifestPath }) => manifestPath).sort());
  for (const unit of units) {
    if (unit.kind !== "file") throw new Error("only files");
    expect(unit.closes ?? false).toBe(unit.path.startsWith("manifests/"));
    for (const needed of unit.needs ?? []) expect(paths.slice(0, firstManifest)).toContain(needed);
  }
});

test("stops() is as the settings say, and nothing where nothing can be stopped", async () => {
  const lab = await makeLab({ stop: "end" });
  const source = await examine(lab);
  expect(await backup.stops?.({ ...lab.ctx, canStop: true }, source)).toBe("end");
  expect(await backup.stops?.({ ...lab.ctx, canStop: false }, source)).toBe("no");
});

test("Settings are the home lab's when none are given, and know no others", () => {
  expect(app.settings.parse({})).toEqual({
    models: "/root/.ollama/models",
    stop: "sync",
    keepDeletedDays: 7,
    pullIdleMinutes: 10,
  });
  expect(() => app.settings.parse({ model: "x" })).toThrow();
  expect(() => app.settings.parse({ stop: "no" })).toThrow();
  expect(app.place?.({ ...app.settings.parse({}), models: "/a/../b/models/" })).toBe("/b/models");
});
