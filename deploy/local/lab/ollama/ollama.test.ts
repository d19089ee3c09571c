import { mkdir, readdir, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder } from "../../../../shared/testing.ts";
import { labModels, makeStore } from "./make-store.ts";
import { Ollama } from "./ollama.ts";

const longAgo = Date.now() / 1000 - 7200;

async function lab() {
  const root = await tempFolder();
  const models = await makeStore(root, labModels(60_000));
  const store = join(root, "models");
  const age = async (name: string) => utimes(join(store, "blobs", name), longAgo, longAgo);
  for (const name of await readdir(join(store, "blobs"))) await age(name);
  const place = async (name: string, old = true) => {
    await writeFile(join(store, "blobs", name), "x");
    if (old) await age(name);
    return name;
  };
  return { store, models, place, ollama: new Ollama(store), blobs: () => readdir(join(store, "blobs")) };
}

const nobodys = `sha256-${"0".repeat(64)}`;

test("prune() keeps what manifests name, and takes what is old and nobody's", async () => {
  const { ollama, place, blobs, models } = await lab();
  const junk = [await place(nobodys), await place("sha256-123456"), await place(".DS_Store")];
  const young = await place(`sha256-${"1".repeat(64)}-partial`, false);
  expect((await ollama.prune()).removed.sort()).toEqual(junk.sort());
  expect((await blobs()).sort()).toEqual([...new Set(models.flatMap((model) => model.blobs)), young].sort());
});

test("prune() takes the old blobs of a model whose manifest is not there yet: a restore in the wrong order loses them", async () => {
  const { ollama, store, models, blobs } = await lab();
  await rm(join(store, models[1]?.manifestPath as string));
  const { removed } = await ollama.prune();
  expect(removed).toContain(models[1]?.blobs[0]);
  expect(await blobs()).not.toContain(models[1]?.blobs[0]);
});

test("prune() does nothing when a manifest is half written, or Finder was there", async () => {
  for (const [path, content] of [
    ["manifests/registry.ollama.ai/library/llama3.2/new", '{"schemaVersion":2,'],
    ["manifests/registry.ollama.ai/library/llama3.2/.DS_Store", "Finder"],
  ] as const) {
    const { ollama, place, store, blobs } = await lab();
    await place(nobodys);
    await writeFile(join(store, path), content);
    expect(await ollama.prune()).toMatchObject({ removed: [], skipped: expect.any(String) });
    expect(await blobs()).toContain(nobodys);
  }
});

test("prune() removes empty folders of manifests", async () => {
  const { ollama, store } = await lab();
  await mkdir(join(store, "manifests/hf.co/nobody/empty"), { recursive: true });
  await ollama.prune();
  expect(await readdir(join(store, "manifests/hf.co"))).toEqual(["bartowski"]);
});

test("list() names the models as ollama list does, and a temporary file with a good name as a model", async () => {
  const { ollama, store, models } = await lab();
  await writeFile(join(store, "manifests/registry.ollama.ai/library/llama3.2/1b.tmp"), models[0]?.manifest as string);
  expect((await ollama.list()).map(({ name }) => name).sort()).toEqual([
    "gpt-oss:20b",
    "hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M",
    "llama3.2:1b",
    "llama3.2:1b.tmp",
    "qwen2.5:0.5b",
  ]);
});

test("list() leaves out a model whose config is gone, in silence", async () => {
  const { ollama, store, models } = await lab();
  await rm(join(store, "blobs", models[0]?.blobs.at(-1) as string));
  expect((await ollama.list()).map(({ name }) => name)).not.toContain("llama3.2:1b");
});

test("load() wants all of a model", async () => {
  const { ollama, store, models } = await lab();
  for (const { name } of models) await ollama.load(name);
  await truncate(join(store, "blobs", models[0]?.blobs[0] as string), 4500);
  await expect(ollama.load("llama3.2:1b")).rejects.toThrow("unexpected EOF");
  await rm(join(store, "blobs", models[1]?.blobs[0] as string));
  await expect(ollama.load("gpt-oss:20b")).rejects.toThrow("ENOENT");
  await expect(ollama.load("nobody:7b")).rejects.toThrow("not found");
});
