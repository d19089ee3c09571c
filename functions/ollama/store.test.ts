import { mkdir, rename, symlink, truncate, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { addModel, labModels, makeStore } from "../../deploy/local/lab/ollama/make-store.ts";
import { tempFolder } from "../../shared/testing.ts";
import { flawsOf } from "./completeness.ts";
import { manifestLimitBytes } from "./manifest.ts";
import { readStore } from "./store.ts";
import { storeIdentity } from "./store-identity.ts";

async function lab() {
  const root = await tempFolder();
  const made = await makeStore(root, labModels(30_000));
  const store = join(root, "models");
  const put = async (path: string, content: string | Uint8Array) => {
    await mkdir(dirname(join(store, path)), { recursive: true });
    await writeFile(join(store, path), content);
  };
  return { root, store, made, put };
}

const names = ["hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M", "gpt-oss:20b", "llama3.2:1b", "qwen2.5:0.5b"];

test("readStore() finds the models of every registry, whole, with the blobs that they name", async () => {
  const { store, made } = await lab();
  const { models, bad, blobs } = await readStore(store);
  expect(models.map(({ name }) => name)).toEqual(names);
  expect(bad).toEqual([]);
  for (const model of models) {
    const wanted = made.find(({ name }) => name === model.name);
    expect(model.path).toBe(wanted?.manifestPath);
    expect(model.at).toBe(wanted?.manifestPath);
    expect(model.blobs.map(({ name }) => name).sort()).toEqual(wanted?.blobs.toSorted());
    expect(flawsOf(model, blobs)).toEqual([]);
  }
});

test("readStore() takes an empty place for an empty store", async () => {
  expect(await readStore(join(await tempFolder(), "nowhere"))).toMatchObject({ models: [], bad: [], others: [] });
});

test("readStore() looks exactly four folders deep, and tells names that are none", async () => {
  const { store, put, made } = await lab();
  const manifest = made[0]?.manifest as string;
  await put("manifests/registry.ollama.ai/library/llama3.2/.DS_Store", "Finder");
  await put("manifests/registry.ollama.ai/library/llama3.2/1b copy", manifest);
  await put("manifests/registry.ollama.ai/library/.DS_Store", "Finder");
  await put("manifests/.DS_Store", "Finder");
  await put("manifests/registry.ollama.ai/library/too/deep/1b", manifest);
  await put("blobs/.DS_Store", "Finder");
  const { models, bad, others } = await readStore(store);
  expect(models.map(({ name }) => name)).toEqual(names);
  expect(bad.map(({ at, path }) => [basename(at), path])).toEqual([
    [".DS_Store", undefined],
    ["1b copy", undefined],
  ]);
  expect(others).toEqual([".DS_Store"]);
});

test("readStore() names a manifest that is torn, empty, huge, or a lie, and goes on", async () => {
  const { root, store, put, made } = await lab();
  const manifest = made[0]?.manifest as string;
  const path = (tag: string) => `manifests/registry.ollama.ai/library/bad/${tag}`;
  await put(path("torn"), manifest.slice(0, 100));
  await put(path("empty"), "");
  await put(path("huge"), "");
  await truncate(join(store, path("huge")), manifestLimitBytes + 1);
  await put(path("hostile"), manifest.replace(/sha256:[0-9a-f]{64}/, "sha256:../../id_ed25519"));
  await symlink(join(root, "id_ed25519"), join(store, path("leaves")));
  await symlink("/nowhere", join(store, path("nowhere")));
  const { models, bad } = await readStore(store);
  expect(models.map(({ name }) => name)).toEqual(names);
  expect(Object.fromEntries(bad.map(({ at, path, why }) => [basename(at), [path === at, why]]))).toEqual({
    torn: [true, expect.stringContaining("JSON")],
    empty: [true, expect.stringContaining("empty")],
    huge: [true, expect.stringContaining("at most")],
    hostile: [true, expect.stringContaining("no sha256")],
    leaves: [true, expect.stringContaining("leaves the folder")],
    nowhere: [true, expect.stringContaining("leads nowhere")],
  });
});

test("readStore() reads the names of Ollama 0.40 and newer as what they were before, and prefers them", async () => {
  const { store, put, made } = await lab();
  const { manifest } = await addModel(store, { name: "newer", layers: [{ kind: "model", key: "n", sizeBytes: 5000 }] });
  const digest = (await import("node:crypto")).createHash("sha256").update(manifest).digest("hex");
  await rename(join(store, "manifests/registry.ollama.ai/library/newer/latest"), join(store, `blobs/sha256-${digest}`));
  const link = async (path: string) => {
    await mkdir(dirname(join(store, path)), { recursive: true });
    await symlink(`../../../../blobs/sha256-${digest}`, join(store, path));
  };
  await link("manifests-v2/ollama.com/library/newer/latest");
  await link("manifests-v2/ollama.com/library/llama3.2/1b");
  await put("manifests-v2/ollama.com/library/newer/.manifest-123456", "");
  const { models, bad } = await readStore(store);
  expect(bad).toEqual([]);
  expect(models.map(({ name }) => name)).toContain("newer:latest");
  expect(models.find(({ name }) => name === "llama3.2:1b")).toMatchObject({
    path: made[0]?.manifestPath,
    at: "manifests-v2/ollama.com/library/llama3.2/1b",
    sha256: digest,
  });
});

test("readStore() counts what a list's own manifests name, and the manifests, among a model's blobs", async () => {
  const { store, put, made } = await lab();
  const child = made[1]?.manifest as string;
  const hex = (await import("node:crypto")).createHash("sha256").update(child).digest("hex");
  const mediaType = "application/vnd.ollama.manifest.list.v2+json";
  const list = { schemaVersion: 2, mediaType, manifests: [{ digest: `sha256:${hex}`, runner: "ollama" }] };
  await put("manifests/registry.ollama.ai/library/list/latest", JSON.stringify(list));
  const before = (await readStore(store)).models.find(({ name }) => name === "list:latest");
  expect(flawsOf(before as never, (await readStore(store)).blobs)).toEqual([
    { blob: `sha256-${hex}`, why: expect.stringContaining("not there") },
  ]);
  await put(`blobs/sha256-${hex}`, child);
  const after = await readStore(store);
  const model = after.models.find(({ name }) => name === "list:latest");
  expect(model?.blobs.map(({ name }) => name).sort()).toEqual([`sha256-${hex}`, ...(made[1]?.blobs ?? [])].sort());
  expect(flawsOf(model as never, after.blobs)).toEqual([]);
});

test("flawsOf() names a blob that is missing, and one that is cut off", async () => {
  const { store, made } = await lab();
  const [gpt, llama] = [made[1], made[0]];
  await truncate(join(store, "blobs", gpt?.blobs[0] as string), 77);
  await rename(join(store, "blobs", llama?.blobs[0] as string), join(store, "away"));
  const { models, blobs } = await readStore(store);
  const flaws = Object.fromEntries(models.map((model) => [model.name, flawsOf(model, blobs)]));
  expect(flaws["gpt-oss:20b"]).toEqual([{ blob: gpt?.blobs[0], why: expect.stringContaining("has 77") }]);
  expect(flaws["llama3.2:1b"]).toEqual([{ blob: llama?.blobs[0], why: expect.stringContaining("not there") }]);
  expect(flaws["qwen2.5:0.5b"]).toEqual([]);
});

test("storeIdentity() is the public key's, without its comment, and none when there is no key", async () => {
  const { root, store, put } = await lab();
  const one = await storeIdentity(store);
  expect(one).toMatchObject({ id: expect.stringMatching(/^[0-9a-f]{64}$/), label: `store ${one?.id.slice(0, 8)}` });
  await put(
    "../id_ed25519.pub",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOther0000000000000000000000000000000000000 root@pod\n",
  );
  const other = await storeIdentity(store);
  expect(other?.id).not.toBe(one?.id);
  await put("../id_ed25519.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOther0000000000000000000000000000000000000\n");
  expect(await storeIdentity(store)).toEqual(other);
  await put("../id_ed25519.pub", "not a key");
  expect(await storeIdentity(store)).toBeUndefined();
  expect(await storeIdentity(join(root, "elsewhere/models"))).toBeUndefined();
});
