import { cp, mkdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { makeLab } from "../../deploy/local/lab/ollama/testing.ts";
import type { PointFacts } from "../../shared/app.ts";
import { lackingOf } from "./lacking.ts";
import { restore } from "./restore.ts";
import { readStore } from "./store.ts";
import { wantedModels } from "./wanted.ts";

const none = { async *filesOf() {} };
const pointOf = (root: string, only?: string): PointFacts => ({
  id: "20260101-000000",
  takenAtMs: 0,
  tree: { root, files: [], ...none },
  ...(only !== undefined && { only }),
});

/** A NAS with four models, and a store with none. */
async function lab() {
  const made = await makeLab();
  await cp(made.models, made.nas, { recursive: true });
  return { ...made, point: pointOf(made.nas), read: () => readStore(made.nas) };
}

test("wantedModels() is everything, or the one that was asked for, by any of its names", async () => {
  const { read, nas } = await lab();
  const names = async (only?: string) =>
    wantedModels(await read(), pointOf(nas, only), "ollama").map(({ name }) => name);
  expect(await names()).toHaveLength(4);
  for (const only of ["qwen2.5:0.5b", "library/qwen2.5:0.5b", "registry.ollama.ai/library/qwen2.5:0.5b"]) {
    expect(await names(only)).toEqual(["qwen2.5:0.5b"]);
  }
});

test("wantedModels() looks only at the model that was asked for", async () => {
  const { read, nas, made } = await lab();
  await truncate(join(nas, "blobs", made[1]?.blobs[0] as string), 9);
  const store = await read();
  expect(wantedModels(store, pointOf(nas, "llama3.2:1b"), "ollama")).toHaveLength(1);
  expect(() => wantedModels(store, pointOf(nas), "ollama")).toThrow(/Cannot restore gpt-oss:20b .* has 9/);
});

test("wantedModels() goes on without what is no part of the backup, and not without what is", async () => {
  const { read, nas, made } = await lab();
  const path = made[0]?.manifestPath as string;
  await writeFile(join(nas, path), "{");
  const store = await read();
  expect(wantedModels(store, pointOf(nas), "ollama")).toHaveLength(3);
  const files = [{ kind: "file", name: path, sizeBytes: 1, sha256: "x", checksum: "x" }];
  const listed = { ...pointOf(nas), tree: { root: nas, files, ...none } };
  expect(() => wantedModels(store, listed, "ollama")).toThrow(expect.objectContaining({ code: "backup_damaged" }));
  expect(() => wantedModels(store, pointOf(nas, "llama3.2:1b"), "ollama")).toThrow("no manifest");
});

test("wantedModels() does not take another manifest for the one that was backed up", async () => {
  const { read, nas, made } = await lab();
  const files = [{ kind: "file", name: made[0]?.manifestPath as string, sizeBytes: 1, sha256: "x", checksum: "x" }];
  const listed = { ...pointOf(nas), tree: { root: nas, files, ...none } };
  const store = await read();
  expect(() => wantedModels(store, listed, "ollama")).toThrow("sha256 x is wanted");
});

test("wantedModels() says that the NAS has nothing", async () => {
  const { root } = await lab();
  const empty = await readStore(join(root, "nowhere"));
  expect(() => wantedModels(empty, pointOf(join(root, "nowhere")), "ollama")).toThrow(
    expect.objectContaining({ code: "not_found", hint: expect.stringContaining("holds none") }),
  );
});

test("lackingOf() is empty for the same store, and names what is missing, cut off, damaged or another", async () => {
  const { ctx, models, read, made } = await lab();
  const nas = await read();
  const lacking = async () => lackingOf(ctx, nas.models, nas, await readStore(models));
  expect(await lacking()).toEqual({ blobs: new Map(), manifests: [] });
  const weights = made.map(({ blobs }) => blobs[0] as string);
  await rm(join(models, "blobs", weights[0] as string));
  await truncate(join(models, "blobs", weights[1] as string), 5);
  const damaged = await readFile(join(models, "blobs", weights[2] as string));
  damaged[damaged.length - 1] = 1 + (damaged.at(-1) as number);
  await writeFile(join(models, "blobs", weights[2] as string), damaged);
  await rm(join(models, made[3]?.manifestPath as string));
  await writeFile(join(models, made[0]?.manifestPath as string), "{");
  const { blobs, manifests } = await lacking();
  expect([...blobs.keys()].sort()).toEqual(weights.slice(0, 3).toSorted());
  expect(manifests.map(({ at }) => at).sort()).toEqual([made[0]?.manifestPath, made[3]?.manifestPath].sort());
});

test("lackingOf() writes a name where Ollama looks first, and where it is torn", async () => {
  const { ctx, models, read, made } = await lab();
  const nas = await read();
  const lacking = async () =>
    (await lackingOf(ctx, nas.models, nas, await readStore(models))).manifests.map(({ at }) => at);
  const v2 = "manifests-v2/ollama.com/library/llama3.2/1b";
  await mkdir(dirname(join(models, v2)), { recursive: true });
  await writeFile(join(models, v2), made[2]?.manifest as string);
  expect(await lacking()).toEqual([v2]);
  await writeFile(join(models, v2), "{");
  expect(await lacking()).toEqual([v2]);
  await rm(join(models, v2));
  await symlink("../../../../blobs/gone", join(models, v2));
  expect(await lacking()).toEqual([v2]);
  await rm(join(models, v2));
  await cp(join(models, made[0]?.manifestPath as string), join(models, v2));
  await rm(join(models, made[0]?.manifestPath as string));
  expect(await lacking(), "it is there, in the newer place").toEqual([]);
});

test("target() stages blobs and manifests of this moment, and tells what is there", async () => {
  const { ctx, models, point, warnings } = await lab();
  await rm(models, { recursive: true });
  const target = restore.target(ctx);
  expect(await target.present()).toBeUndefined();
  const beganAt = Date.now() - 1000;
  await target.stage(new Map(), point);
  expect(await target.present(), "nothing is in place yet").toBeUndefined();
  await target.swap();
  await target.commit();
  const present = await target.present();
  expect(present).toMatchObject({
    label: expect.stringMatching(/^4 models: .*llama3.2:1b/),
    identity: expect.anything(),
  });
  expect(present?.changedAtMs).toBeGreaterThan(beganAt);
  await target.stage(new Map(), point);
  expect(warnings).toEqual([expect.stringContaining("Nothing was missing")]);
});
