import { execFileSync } from "node:child_process";
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder, writeTree } from "../testing.ts";
import { type WalkOptions, walkFiles } from "./walk.ts";

async function walk(root: string, options?: WalkOptions) {
  const found = [];
  for await (const file of walkFiles(root, options)) found.push(file);
  return found;
}
const paths = async (root: string, options?: WalkOptions) => (await walk(root, options)).map(({ path }) => path);

test("walkFiles() gives every file below a folder, each folder in the order of its names", async () => {
  const root = await tempFolder();
  await writeTree(root, { "b/z": "1", "b/a": "22", a: "333", "c/d/e": "", "B/x": "", "empty/": "" });
  expect(await paths(root)).toEqual(["B/x", "a", "b/a", "b/z", "c/d/e"]);
  expect((await walk(root)).map(({ sizeBytes, kind }) => [sizeBytes, kind])).toEqual(
    [0, 3, 2, 1, 0].map((sizeBytes) => [sizeBytes, "file"]),
  );
  expect(await paths(root, { folders: true })).toEqual(
    ["B", "B/x", "a", "b", "b/a", "b/z", "c", "c/d", "c/d/e", "empty"], //
  );
});

test("walkFiles() leaves out what it is told to, folders with all in them, without looking at it", async () => {
  const root = await tempFolder();
  await writeTree(root, { "keep/a": "", "keep/a.tmp": "", "out/b": "", c: "" });
  expect(await paths(root, { skip: (path) => path === "out" || path.endsWith(".tmp") })).toEqual(["c", "keep/a"]);
});

test("walkFiles() tells links and special files and follows none", async () => {
  const [root, outside] = [await tempFolder(), await tempFolder()];
  await writeTree(outside, { secret: "s" });
  await symlink(outside, join(root, "folder-link"));
  await symlink("nowhere", join(root, "dead-link"));
  execFileSync("mkfifo", [join(root, "pipe")]);
  expect((await walk(root)).map(({ path, kind }) => [path, kind])).toEqual([
    ["dead-link", "link"],
    ["folder-link", "link"],
    ["pipe", "other"],
  ]);
});

test("walkFiles() says that there is no such folder", async () => {
  const root = await tempFolder();
  await expect(walk(join(root, "gone"))).rejects.toMatchObject({ code: "source_missing" });
  await writeFile(join(root, "file"), "");
  await expect(walk(join(root, "file"))).rejects.toMatchObject({ code: "source_unreachable" });
});

test("walkFiles() fails for what cannot be looked at, and skips nothing silently (an unreadable volume was an empty snapshot elsewhere)", async () => {
  const root = await tempFolder();
  await mkdir(join(root, "a"));
  const bytes = Buffer.concat([Buffer.from(`${root}/a/`), Buffer.from([0xff, 0xfe])]);
  await writeFile(bytes, "not UTF-8");
  await expect(walk(root)).rejects.toMatchObject({
    code: "source_unreachable",
    message: expect.stringContaining("its name is not UTF-8"),
  });
  expect(await readFile(bytes, "utf8")).toBe("not UTF-8");
});

// Root may read everything.
test.skipIf(process.getuid?.() === 0)("walkFiles() fails for a folder that it may not read", async () => {
  const root = await tempFolder();
  await mkdir(join(root, "a"), { mode: 0 });
  await expect(walk(root)).rejects.toMatchObject({ code: "source_unreachable" });
});

test("walkFiles() notices a file and a folder that go while it walks", async () => {
  const root = await tempFolder();
  await writeTree(root, { a: "", "b/c": "", "b/d": "" });
  const removing = async (gone: string, at: string) => {
    for await (const { path } of walkFiles(root)) {
      if (path === at) await rm(join(root, gone), { recursive: true });
    }
  };
  await expect(removing("b", "a")).rejects.toMatchObject({ code: "source_changing" });
  await writeTree(root, { a: "", "b/c": "", "b/d": "" });
  await expect(removing("b/d", "b/c")).rejects.toMatchObject({
    code: "source_changing",
    message: expect.stringContaining("b/d"),
  });
});

test("walkFiles() ends when the run is cancelled", async () => {
  const root = await tempFolder();
  await writeTree(root, { a: "" });
  await expect(walk(root, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
});

test("walkFiles() lets others work while it walks", async () => {
  const root = await tempFolder("memory");
  await writeTree(root, Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`f${index}`, ""])));
  let turns = 0;
  let walking = true;
  const count = () => {
    turns += 1;
    if (walking) setImmediate(count);
  };
  setImmediate(count);
  // Each file takes its time, as a slow disk's does.
  for await (const _ of walkFiles(root)) for (const until = performance.now() + 0.02; performance.now() < until; );
  walking = false;
  expect(turns).toBeGreaterThan(2);
});
