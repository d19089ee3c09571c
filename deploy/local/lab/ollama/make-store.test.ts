import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readTree, tempFolder } from "../../../../shared/testing.ts";
import { addModel, beginPull, labModels, makeStore, manifestName } from "./make-store.ts";

const sha256 = async (path: string) =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex");

test("makeStore() names every blob after its sha256, with the sizes that the manifests tell", async () => {
  const root = await tempFolder();
  const made = await makeStore(root, labModels(2_500_000));
  for (const { manifestPath, blobs } of made) {
    const { layers, config } = JSON.parse(await readFile(join(root, "models", manifestPath), "utf8"));
    expect([...layers, config].map(({ digest }) => digest.replace(":", "-"))).toEqual(blobs);
    for (const { digest, size } of [...layers, config]) {
      const path = join(root, "models/blobs", digest.replace(":", "-"));
      expect(await sha256(path)).toBe(digest.slice("sha256:".length));
      expect((await stat(path)).size).toBe(size);
    }
  }
  expect(made.map(({ manifestPath }) => manifestPath)).toEqual([
    "manifests/registry.ollama.ai/library/llama3.2/1b",
    "manifests/registry.ollama.ai/library/gpt-oss/20b",
    "manifests/registry.ollama.ai/library/qwen2.5/0.5b",
    "manifests/hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF/Q4_K_M",
  ]);
  const all = made.flatMap(({ blobs }) => blobs);
  expect((await readdir(join(root, "models/blobs"))).sort()).toEqual([...new Set(all)].sort());
  expect(new Set(all).size, "some blobs belong to several models").toBeLessThan(all.length);
});

test("makeStore() gives the same store twice, but other keys", async () => {
  const [one, other] = [await tempFolder(), await tempFolder()];
  for (const root of [one, other]) await makeStore(root, labModels(20_000));
  expect(await readTree(join(one, "models"))).toEqual(await readTree(join(other, "models")));
  const key = (root: string) => readFile(join(root, "id_ed25519.pub"), "utf8");
  expect(await key(one)).toMatch(/^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}\n$/);
  expect(await key(one)).not.toBe(await key(other));
  expect((await stat(join(one, "id_ed25519"))).mode & 0o777).toBe(0o600);
});

test("addModel() writes a manifest without a config when told to", async () => {
  const store = await tempFolder();
  const { manifest, blobs } = await addModel(store, {
    name: "bare",
    layers: [{ kind: "model", key: "w", sizeBytes: 5000 }],
    config: false,
  });
  expect(JSON.parse(manifest).config).toEqual({ mediaType: "", digest: "", size: 0 });
  expect(blobs).toHaveLength(1);
});

test("manifestName() fills in what a name leaves out", () => {
  expect(manifestName("llama3.2")).toBe("registry.ollama.ai/library/llama3.2/latest");
  expect(manifestName("me/mine:v1")).toBe("registry.ollama.ai/me/mine/v1");
  expect(manifestName("localhost:5000/a/b:c")).toBe("localhost:5000/a/b/c");
});

test("beginPull() has its full size from the start, and grows", async () => {
  const store = await tempFolder();
  const pull = await beginPull(store, { kind: "model", key: "w", sizeBytes: 3_000_000 });
  const before = await stat(pull.partial);
  expect(before).toMatchObject({ size: 3_000_000, blocks: 0 });
  await pull.grow();
  await pull.close();
  expect((await stat(pull.partial)).blocks).toBeGreaterThan(0);
  expect(JSON.parse(await readFile(`${pull.partial}-0`, "utf8"))).toMatchObject({ Completed: 1 << 20 });
});
