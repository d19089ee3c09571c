import { appendFile, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { walkFiles } from "../source/walk.ts";
import { tempFolder, writeTree } from "../testing.ts";
import { readTar } from "./tar-read.ts";
import { tarSources } from "./tar-sources.ts";
import { tarOf } from "./tar-write.ts";
import { collect } from "./testing.ts";

const large = "0123456789".repeat(130_000);
const tree = { "a/small": "s", "a/empty": "", "b/large": large, "b/other": large.slice(7) };

test("tarSources() gives walked files and folders to tarOf(), small and large", async () => {
  const root = await tempFolder();
  await writeTree(root, { ...tree, "void/": "" });
  await utimes(join(root, "a/small"), 1_700_000_000, 1_700_000_000);
  const entries: Record<string, string | number> = {};
  const tar = tarOf(tarSources(root, walkFiles(root, { folders: true }), (path) => `World/${path}`));
  for await (const { path, bytes, mtimeMs } of readTar(tar, { maxBytes: 1e9, maxEntries: 99, name: "a" })) {
    entries[path] = (await collect(bytes)).toString();
    if (path === "World/a/small") expect(mtimeMs).toBe(1_700_000_000_000);
  }
  const files = Object.fromEntries(Object.entries(tree).map(([path, text]) => [`World/${path}`, text]));
  expect(entries).toEqual({ ...files, "World/a": "", "World/b": "", "World/void": "" });
});

const changes: Record<string, (path: string) => Promise<void>> = {
  "is written to": (path) => appendFile(path, "more"),
  "becomes shorter": (path) => writeFile(path, "x"),
  "is another one of the same size": async (path) => {
    await writeFile(`${path}.new`, path.endsWith("small") ? "S" : large.toUpperCase());
    await rename(`${path}.new`, path);
  },
  "has gone": (path) => rm(path),
  "became a link": async (path) => {
    await rm(path);
    await symlink("/etc/hostname", path);
  },
};

test.each(Object.keys(changes))("tarSources() notices a file that %s after it was walked", async (what) => {
  for (const path of ["a/small", "b/large"]) {
    const root = await tempFolder();
    await writeTree(root, tree);
    const files = [];
    for await (const file of walkFiles(root)) files.push(file);
    await changes[what]?.(join(root, path));
    await expect(collect(tarOf(tarSources(root, files)))).rejects.toMatchObject({ code: "source_changing" });
  }
});

test("tarSources() notices a file that is written to while it is read", async () => {
  const root = await tempFolder();
  await writeTree(root, tree);
  const read = async () => {
    for await (const part of tarOf(tarSources(root, walkFiles(root)))) {
      if (part.length > 100_000) await writeFile(join(root, "b/large"), large);
    }
  };
  await expect(read()).rejects.toMatchObject({ code: "source_changing" });
});

test("tarSources() skips no link silently", async () => {
  const root = await tempFolder();
  await symlink("/etc", join(root, "link"));
  await expect(collect(tarOf(tarSources(root, walkFiles(root))))).rejects.toMatchObject({
    code: "source_invalid",
    message: expect.stringContaining('"link"'),
  });
});
