import { cp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeLab } from "../../deploy/local/lab/ollama/testing.ts";
import type { Manifest } from "../../shared/nas/points.ts";
import { readTree } from "../../shared/testing.ts";
import { removeExpired } from "./cleanup.ts";
import { readStore } from "./store.ts";

/** A NAS with four models, the second of which is gone at the source and has been let go. */
async function lab() {
  const made = await makeLab();
  const { models, nas } = made;
  await cp(models, nas, { recursive: true });
  const gpt = (await readStore(nas)).models.find(({ name }) => name === "gpt-oss:20b") as never as {
    path: string;
    sha256: string;
  };
  const blobs = made.made[1]?.blobs as string[];
  await rm(join(models, gpt.path));
  const manifest = (expired: unknown, files: string[] = []): Manifest => ({
    version: 1,
    id: "20260101-000000",
    sequence: 1,
    takenAt: "",
    app: "ollama",
    type: "ollama",
    runId: "r",
    files: files.map((name) => ({ kind: "file", name, sizeBytes: 1, sha256: "", checksum: "" })),
    facts: { expired },
  });
  const clean = (expired: unknown, files?: string[]) =>
    removeExpired(made.ctx, { root: nas, manifest: manifest(expired, files) });
  return { ...made, gpt, blobs, clean, expired: { manifests: { [gpt.path]: gpt.sha256 }, blobs } };
}

test("cleanup() removes what was let go, but no blob that another model needs, and the folders that are empty then", async () => {
  const { clean, expired, gpt, blobs, nas, made } = await lab();
  const others = new Set(made.filter(({ name }) => name !== "gpt-oss:20b").flatMap((model) => model.blobs));
  const own = blobs.filter((blob) => !others.has(blob)).map((blob) => `blobs/${blob}`);
  expect((await clean(expired)).sort()).toEqual([gpt.path, ...own].sort());
  const left = Object.keys(await readTree(nas));
  expect(left).not.toContain(gpt.path);
  expect(await clean(expired)).toEqual([]);
  expect((await readStore(nas)).models).toHaveLength(3);
});

test("cleanup() leaves what came back, what is another one by now, and what the last backup has", async () => {
  const back = await lab();
  await writeFile(join(back.models, back.gpt.path), "torn, but there");
  expect(await back.clean(back.expired)).toEqual([]);
  const other = await lab();
  await writeFile(join(other.nas, other.gpt.path), other.made[0]?.manifest as string);
  expect((await other.clean(other.expired)).filter((path) => path.startsWith("manifests"))).toEqual([]);
  const part = await lab();
  expect(await part.clean(part.expired, [part.gpt.path, ...part.blobs.map((blob) => `blobs/${blob}`)])).toEqual([]);
});

test("cleanup() removes no blob while a manifest on the NAS cannot be read", async () => {
  const { clean, expired, gpt, nas, made } = await lab();
  await writeFile(join(nas, made[0]?.manifestPath as string), "{");
  expect(await clean(expired)).toEqual([gpt.path]);
});

test("cleanup() removes nothing but blobs and manifests by their exact names, whatever the memory says", async () => {
  const { clean, nas, root } = await lab();
  await writeFile(join(nas, "blobs/notes.txt"), "mine");
  await writeFile(join(root, "outside"), "mine");
  const before = await readTree(root);
  const hostile = {
    manifests: { "../outside": "x", "blobs/notes.txt": "x" },
    blobs: ["notes.txt", "../../outside", "../manifests"],
  };
  expect(await clean(hostile)).toEqual([]);
  expect(await clean({ manifests: 7, blobs: "all" })).toEqual([]);
  expect(await readTree(root)).toEqual(before);
});

test("cleanup() does nothing before the first backup", async () => {
  const { ctx, nas } = await lab();
  expect(await removeExpired(ctx, { root: nas })).toEqual([]);
});
