import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, link, mkdir, open, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test, vi } from "vitest";
import { Disk, ignore, isTemporary, temporaryFor } from "./disk.ts";
import { createStep } from "./step.ts";
import { readTree, stepsOf, stopDeadAt, tempFolder, testDisk, writeTree } from "./testing.ts";

const run = promisify(execFile);
const disk = testDisk();
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

async function* chunks(...texts: string[]) {
  for (const text of texts) yield Buffer.from(text);
}

test("write() writes and hashes in one pass, whatever the bytes come as", async () => {
  const folder = await tempFolder();
  const sources = { text: "héllo", bytes: Buffer.from("héllo"), chunks: chunks("h", "", "éllo") };
  for (const [name, source] of Object.entries(sources)) {
    const told: number[] = [];
    const written = await disk.write(join(folder, name), source, { onBytes: (done) => told.push(done) });
    expect(written).toEqual({ sizeBytes: 6, sha256: sha256("héllo") });
    expect(await readFile(join(folder, name), "utf8")).toBe("héllo");
    expect(told.at(-1)).toBe(6);
  }
  expect(await disk.write(join(folder, "empty"), "")).toEqual({ sizeBytes: 0, sha256: sha256("") });
});

test("write() sends a large file to the disk while it is written, and one that need not be there never", async () => {
  const folder = await tempFolder();
  const handle = await open(folder);
  const datasync = vi.spyOn(Object.getPrototypeOf(handle), "datasync");
  onTestFinished(() => datasync.mockRestore());
  await handle.close();
  const large = Array.from({ length: 20 }, () => Buffer.alloc(1 << 20));
  await disk.write(join(folder, "scratch"), large, { sync: false });
  expect(datasync).not.toHaveBeenCalled();
  await disk.write(join(folder, "backup"), large);
  expect(datasync).toHaveBeenCalledTimes(2);
});

test("write() never replaces a file, and never writes through a link", async () => {
  const folder = await tempFolder();
  await writeTree(folder, { file: "mine", other: "mine too" });
  await symlink(join(folder, "other"), join(folder, "link"));
  await symlink(join(folder, "nothing"), join(folder, "dangling"));
  for (const name of ["file", "link", "dangling"]) {
    await expect(disk.write(join(folder, name), "x")).rejects.toMatchObject({ code: "EEXIST" });
  }
  expect(await readTree(folder)).toEqual({ file: "mine", other: "mine too" });
});

test("write() leaves nothing when its source fails or the run is cancelled in the middle", async () => {
  const folder = await tempFolder();
  const failing = async function* () {
    yield Buffer.from("half");
    throw new Error("pg_dump: connection lost");
  };
  await expect(disk.write(join(folder, "a"), failing())).rejects.toThrow("connection lost");
  const cancelled = new AbortController();
  const source = async function* () {
    yield Buffer.from("half");
    cancelled.abort(new Error("cancelled"));
    yield Buffer.from("more");
  };
  await expect(disk.write(join(folder, "b"), source(), { signal: cancelled.signal })).rejects.toThrow("cancelled");
  expect(await readdir(folder)).toEqual([]);
});

test("write(), copy() and replace() leave nothing behind on a full disk, and the old file whole (a full disk truncated dumps for months elsewhere)", async () => {
  const folder = join(await tempFolder(), "small");
  await mkdir(folder);
  const mounted = await run("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]).catch(() => undefined);
  if (!mounted) return console.log("skipped: only root may mount a small file system here");
  onTestFinished(async () => void (await run("umount", [folder])));
  const full = { code: "ENOSPC" };
  await disk.write(join(folder, "old"), "x".repeat(20 << 10));
  await expect(
    disk.write(join(folder, "new"), chunks("y".repeat(30 << 10), "y".repeat(30 << 10))),
  ).rejects.toMatchObject(full);
  await expect(disk.replace(join(folder, "old"), "y".repeat(60 << 10))).rejects.toMatchObject(full);
  await expect(disk.createExclusive(join(folder, "record"), "y".repeat(60 << 10))).rejects.toMatchObject(full);
  await disk.write(join(folder, "second"), "x".repeat(30 << 10));
  await expect(disk.copy(join(folder, "old"), join(folder, "third"))).rejects.toMatchObject(full);
  expect((await readdir(folder)).toSorted()).toEqual(["old", "second"]);
  expect(await readFile(join(folder, "old"), "utf8")).toBe("x".repeat(20 << 10));
});

test("write(), makeDir() and copy() give the modes and the owner of the settings", async () => {
  const folder = await tempFolder();
  const owner = { uid: process.getuid?.() === 0 ? 1234 : (process.getuid?.() ?? 0), gid: process.getgid?.() ?? 0 };
  const before = process.umask(0);
  onTestFinished(() => void process.umask(before));
  const shared = new Disk(createStep(), { fileMode: 0o664, dirMode: 0o775, owner });
  await shared.makeDir(join(folder, "a/b"));
  await shared.write(join(folder, "a/b/file"), "x");
  await shared.write(join(folder, "a/b/own"), "x", { mode: 0o600 });
  await writeFile(join(folder, "plain"), "x", { mode: 0o600 });
  await shared.copy(join(folder, "plain"), join(folder, "a/copy"));
  await shared.with({ fileMode: 0o640 }).write(join(folder, "a/other"), "x");
  for (const [path, mode] of [["a", 0o775], ["a/b", 0o775], ["a/b/file", 0o664], ["a/b/own", 0o600], ["a/copy", 0o664], ["a/other", 0o640]] as const) {
    const info = await stat(join(folder, path));
    expect([path, info.mode & 0o777, info.uid, info.gid]).toEqual([path, mode, owner.uid, owner.gid]);
  } // biome-ignore format: a table
  expect((await stat(folder)).uid).toBe(process.getuid?.());
});

test("makeDirs(), writeMany() and write() give modes, times and the owner that are asked for, whatever the umask", async () => {
  const folder = await tempFolder();
  const owner = { uid: process.getuid?.() === 0 ? 1234 : (process.getuid?.() ?? 0), gid: process.getgid?.() ?? 0 };
  const before = process.umask(0o077);
  onTestFinished(() => void process.umask(before));
  const owned = disk.with({ owner });
  await owned.makeDirs([
    { path: join(folder, "a"), mode: 0o775 },
    { path: join(folder, "a/b"), mode: 0o750 },
  ]);
  const attributes = { mode: 0o664, modifiedAtMs: 1_700_000_000_000 };
  await owned.writeMany([
    { path: join(folder, "a/one"), bytes: Buffer.from("1"), ...attributes },
    { path: join(folder, "a/b/two"), bytes: Buffer.from("22"), ...attributes },
  ]);
  await owned.write(join(folder, "a/three"), "333", { ...attributes, sync: false });
  for (const [path, mode] of [["a", 0o775], ["a/b", 0o750], ["a/one", 0o664], ["a/b/two", 0o664], ["a/three", 0o664]] as const) {
    const info = await stat(join(folder, path));
    expect([path, info.mode & 0o777, info.uid]).toEqual([path, mode, owner.uid]);
    if (info.isFile()) expect(info.mtimeMs).toBe(attributes.modifiedAtMs);
  } // biome-ignore format: a table
  expect(await readTree(folder)).toEqual({ "a/one": "1", "a/b/two": "22", "a/three": "333" });
});

test("makeDirs() and writeMany() replace nothing and follow no link, and writeMany() has ended when it fails", async () => {
  const [folder, outside] = [await tempFolder(), await tempFolder()];
  await writeTree(folder, { taken: "mine" });
  await symlink(outside, join(folder, "link"));
  const full = { code: "EEXIST" };
  await expect(disk.makeDirs([{ path: join(folder, "link") }])).rejects.toMatchObject(full);
  await symlink(join(outside, "nothing"), join(folder, "dangling"));
  for (const name of ["taken", "dangling"]) {
    const files = [name, ...Array.from({ length: 20 }, (_, n) => `${name}-${n}`)];
    const bytes = Buffer.from("x".repeat(1000));
    await expect(disk.writeMany(files.map((file) => ({ path: join(folder, file), bytes })))).rejects.toMatchObject(
      full,
    );
    bytes.fill("y");
    const written = Object.entries(await readTree(folder)).filter(([path]) => path.startsWith(`${name}-`));
    expect(written.every(([, content]) => content === "x".repeat(1000))).toBe(true);
  }
  expect(await readdir(outside)).toEqual([]);
  expect((await readTree(folder)).taken).toBe("mine");
});

test("replace() stopped dead at any change leaves the old content or the new", async () => {
  const replace = (folder: string) => (step: Parameters<typeof testDisk>[0]) =>
    testDisk(step).replace(join(folder, "file"), "the new");
  const start = async () => {
    const folder = await tempFolder("memory");
    await writeFile(join(folder, "file"), "the old");
    return folder;
  };
  const count = (await stepsOf(replace(await start()))).length;
  expect(count).toBeGreaterThan(4);
  const seen = new Set<string>();
  for (let at = 1; at <= count; at += 1) {
    const folder = await start();
    await stopDeadAt(at, replace(folder));
    seen.add(await readFile(join(folder, "file"), "utf8"));
    const others = (await readdir(folder)).filter((name) => name !== "file");
    expect(others.every(isTemporary)).toBe(true);
    await replace(folder)(createStep());
    expect(await readFile(join(folder, "file"), "utf8")).toBe("the new");
  }
  expect([...seen]).toEqual(["the old", "the new"]);
});

test("replace() and rename() wait for the folder only where it matters that a power cut brings nothing back", async () => {
  const folder = await tempFolder();
  const synced = async (work: (disk: Disk) => Promise<unknown>) =>
    (await stepsOf((step) => work(testDisk(step)))).filter((step) => step.startsWith("fsync folder"));
  const [a, b] = [join(folder, "a"), join(folder, "b")];
  expect(await synced((disk) => disk.replace(a, "1"))).toHaveLength(1);
  expect(await synced((disk) => disk.replace(a, "2", { durable: false }))).toEqual([]);
  expect(await synced((disk) => disk.rename(a, b, { durable: false }))).toEqual([]);
  expect(await readFile(b, "utf8")).toBe("2");
});

test("makeDir() makes no step of a folder that is there", async () => {
  const folder = await tempFolder();
  const steps = () => stepsOf((step) => testDisk(step).makeDir(join(folder, "a/b")));
  expect(await steps()).toHaveLength(1);
  expect(await steps()).toEqual([]);
});

test("createExclusive() makes a whole file once; whoever comes second is told so", async () => {
  const folder = await tempFolder();
  const path = join(folder, "record.json");
  const made = await Promise.all(["a", "b", "c"].map((content) => disk.createExclusive(path, content)));
  expect(made.filter(Boolean)).toHaveLength(1);
  expect(await readFile(path, "utf8")).toBe("abc"[made.indexOf(true)]);
  expect(await readdir(folder)).toEqual(["record.json"]);
});

test("createExclusive() stopped dead at any change leaves no file of this name, or the whole one", async () => {
  const create = (folder: string) => (step: Parameters<typeof testDisk>[0]) =>
    testDisk(step).createExclusive(join(folder, "file"), "whole");
  const count = (await stepsOf(create(await tempFolder("memory")))).length;
  for (let at = 1; at <= count; at += 1) {
    const folder = await tempFolder("memory");
    await stopDeadAt(at, create(folder));
    expect(["whole", "none"]).toContain(await readFile(join(folder, "file"), "utf8").catch(() => "none"));
  }
});

test("renameExclusive() gives a free name, and leaves both files alone when it is taken", async () => {
  const folder = await tempFolder();
  await writeTree(folder, { staged: "new", taken: "somebody else's" });
  expect(await disk.renameExclusive(join(folder, "staged"), join(folder, "taken"))).toBe(false);
  expect(await readTree(folder)).toEqual({ staged: "new", taken: "somebody else's" });
  expect(await disk.renameExclusive(join(folder, "staged"), join(folder, "free"))).toBe(true);
  expect(await readTree(folder)).toEqual({ free: "new", taken: "somebody else's" });
});

test("renameExclusive() finishes what was stopped dead half-way", async () => {
  const folder = await tempFolder();
  await writeTree(folder, { staged: "new" });
  await link(join(folder, "staged"), join(folder, "final"));
  expect(await disk.renameExclusive(join(folder, "staged"), join(folder, "final"))).toBe(true);
  expect(await readTree(folder)).toEqual({ final: "new" });
});

test("copy() makes a file of its own, which never replaces one", async () => {
  const folder = await tempFolder();
  await writeTree(folder, { a: "content", taken: "mine" });
  await disk.copy(join(folder, "a"), join(folder, "b"));
  expect((await stat(join(folder, "b"))).ino).not.toBe((await stat(join(folder, "a"))).ino);
  expect(await readFile(join(folder, "b"), "utf8")).toBe("content");
  await expect(disk.copy(join(folder, "a"), join(folder, "taken"))).rejects.toMatchObject({ code: "EEXIST" });
  expect(await readFile(join(folder, "taken"), "utf8")).toBe("mine");
});

test("setTimes() sets the moment of capture", async () => {
  const path = join(await tempFolder(), "file");
  await writeFile(path, "");
  await disk.setTimes(path, Date.UTC(2025, 11, 19, 18));
  expect((await stat(path)).mtimeMs).toBe(Date.UTC(2025, 11, 19, 18));
});

test("remove(), removeTree(), removeEmptyDir() and makeDir() may run twice, and spare a folder that holds something", async () => {
  const folder = await tempFolder();
  await writeTree(folder, { file: "x", "full/file": "x", "tree/a/b": "x", "empty/": "" });
  for (const _ of ["once", "twice"]) {
    await disk.remove(join(folder, "file"));
    await disk.removeEmptyDir(join(folder, "empty"));
    await disk.removeEmptyDir(join(folder, "full"));
    await disk.removeTree(join(folder, "tree"));
    await disk.makeDir(join(folder, "made/deep"));
  }
  expect((await readdir(folder)).toSorted()).toEqual(["full", "made"]);
  expect(await readTree(folder)).toEqual({ "full/file": "x" });
});

test("removeTree() removes a link, not what it leads to", async () => {
  const folder = await tempFolder();
  await writeTree(folder, { "kept/file": "x", "tree/own": "x" });
  await symlink(join(folder, "kept"), join(folder, "tree/link"));
  await disk.removeTree(join(folder, "tree"));
  expect(await readTree(folder)).toEqual({ "kept/file": "x" });
});

test("remove() passes on what it cannot do", async () => {
  const folder = await tempFolder();
  await expect(disk.remove(folder)).rejects.toMatchObject({ code: expect.stringMatching(/EISDIR|EPERM/) });
  await chmod(folder, 0o755);
});

test("temporaryFor() gives hidden names in the same folder, each another one, which isTemporary() knows", () => {
  const [one, two] = [temporaryFor("/nas/state.json"), temporaryFor("/nas/state.json")];
  expect(one).not.toBe(two);
  expect(one).toMatch(/^\/nas\/\.state\.json\.[0-9a-f]{8}\.tmp$/);
  expect(isTemporary(one.slice("/nas/".length))).toBe(true);
  for (const name of ["state.json", ".DS_Store", "x.tmp", ".x.tmp", "x.00000000.tmp"])
    expect(isTemporary(name)).toBe(false);
});

test("ignore() swallows the codes that it was given, and throws the rest", () => {
  const error = (code?: string) => Object.assign(new Error("x"), code ? { code } : {});
  expect(ignore("ENOENT", "EEXIST")(error("EEXIST"))).toBeUndefined();
  expect(() => ignore("ENOENT")(error("EACCES"))).toThrow("x");
  expect(() => ignore("ENOENT")(error())).toThrow("x");
});
