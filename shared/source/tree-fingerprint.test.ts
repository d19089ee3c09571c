import { mkdir, rename, stat, symlink, unlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder, writeTree } from "../testing.ts";
import { treeFingerprint } from "./tree-fingerprint.ts";

async function tree() {
  const root = join(await tempFolder(), "tree");
  await writeTree(root, { "a/one": "1", "a/two": "22", three: "333" });
  return { root, of: async (options?: Parameters<typeof treeFingerprint>[1]) => treeFingerprint(root, options) };
}

test("treeFingerprint() stays as long as nobody touches a file, also when the folder is moved", async () => {
  const { root, of } = await tree();
  const before = await of();
  expect(before).toEqual({ fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/), files: 3, sizeBytes: 6 });
  await mkdir(join(root, "empty"));
  expect(await of()).toEqual(before);
  await rename(root, `${root}-moved`);
  expect(await treeFingerprint(`${root}-moved`)).toEqual(before);
});

test("treeFingerprint() notices other bytes under a forged time, a file more, a file less, another name, a link", async () => {
  const { root, of } = await tree();
  const { mtime, atime } = await stat(join(root, "three"));
  const seen = new Set([(await of()).fingerprint]);
  const change = async (what: () => Promise<unknown>) => {
    const before = seen.size;
    await what();
    seen.add((await of()).fingerprint);
    expect(seen.size).toBe(before + 1);
  };
  await change(async () => {
    await writeFile(join(root, "three"), "444");
    await utimes(join(root, "three"), atime, mtime);
  });
  await change(() => writeFile(join(root, "a/more"), ""));
  await change(() => rename(join(root, "a/more"), join(root, "a/other")));
  await change(() => rename(join(root, "a/other"), join(root, "other")));
  await change(() => unlink(join(root, "a/one")));
  await change(() => symlink("two", join(root, "a/one")));
});

test("treeFingerprint() leaves out what is skipped, and hands every other file on", async () => {
  const { root, of } = await tree();
  const seen: string[] = [];
  const options = { skip: (path: string) => path === "three", onFile: ({ path }: { path: string }) => seen.push(path) };
  const before = await of(options);
  expect(before).toMatchObject({ files: 2, sizeBytes: 3 });
  expect(seen).toEqual(["a/one", "a/two"]);
  await writeFile(join(root, "three"), "another");
  expect(await of(options)).toEqual(before);
});

test("treeFingerprint() of nothing is not that of a missing folder", async () => {
  const { root } = await tree();
  await expect(treeFingerprint(join(root, "nowhere"))).rejects.toMatchObject({ code: "source_missing" });
});
