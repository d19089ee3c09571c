import { mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { Disk } from "../disk.ts";
import { FileWorker } from "../file-worker.ts";
import { createStep } from "../step.ts";
import { readTree, stepsOf, stopDeadAt, tempFolder, testDisk } from "../testing.ts";
import { type ExtractOptions, extractTar } from "./extract.ts";
import { readTar, type TarEntry } from "./tar-read.ts";
import { chunksOf, type RawEntry, rawTar } from "./testing.ts";

const limits = { maxBytes: 1 << 30, maxEntries: 10_000, name: "a.tar" };
const extract = (tar: Buffer, into: string, options: Partial<ExtractOptions> = {}) =>
  extractTar(readTar(chunksOf(tar, 1500), limits), into, { disk: testDisk(), name: "a.tar", ...options });

const large = Buffer.alloc(300 << 10, "large");
const world: RawEntry[] = [
  { name: "World/", type: "5", mode: 0o755 },
  { name: "World/main.ttw", content: "ttw" },
  { name: "World/Region/r.0.0.7rg", content: large },
  { name: "World/Region/r.0.1.7rg", content: "small" },
  { name: "World/empty/", type: "5", mode: 0o700 },
  { name: "World/run.sh", content: "", mode: 0o4755 },
];

test("extractTar() unpacks folders and files, small and large", async () => {
  const into = join(await tempFolder(), "new/world");
  const told: number[] = [];
  const done = await extract(rawTar(...world), into, { onBytes: (bytes) => told.push(bytes) });
  expect(done).toEqual({ files: 4, folders: 3, sizeBytes: large.length + 8 });
  expect(told.at(-1)).toBe(done.sizeBytes);
  expect(await readTree(into)).toEqual({
    "World/main.ttw": "ttw",
    "World/Region/r.0.0.7rg": large.toString(),
    "World/Region/r.0.1.7rg": "small",
    "World/run.sh": "",
  });
  expect(await readdir(join(into, "World/empty"))).toEqual([]);
});

test("extractTar() gives modes, times and the owner whatever the umask, and never more than rwx", async () => {
  const before = process.umask(0o077);
  onTestFinished(() => void process.umask(before));
  const owner = { uid: process.getuid?.() === 0 ? 1234 : (process.getuid?.() ?? 0), gid: process.getgid?.() ?? 0 };
  const look = async (path: string) => {
    const { mode, uid, mtimeMs } = await stat(path);
    return [mode & 0o7777, uid, mtimeMs];
  };
  const into = join(await tempFolder(), "a");
  await extract(rawTar(...world, { name: "locked/", type: "5", mode: 0 }, { name: "locked/f", mode: 0 }), into, {
    disk: new Disk(createStep(), { owner }),
  });
  expect(await look(join(into, "World/main.ttw"))).toEqual([0o644, owner.uid, 0]);
  expect(await look(join(into, "World/Region/r.0.0.7rg"))).toEqual([0o644, owner.uid, 0]);
  expect(await look(join(into, "World/run.sh"))).toEqual([0o755, owner.uid, 0]);
  expect((await look(join(into, "World"))).slice(0, 2)).toEqual([0o755, owner.uid]);
  expect((await look(join(into, "World/empty"))).slice(0, 2)).toEqual([0o700, owner.uid]);
  // What nobody may enter or write could neither be filled nor removed.
  expect((await look(join(into, "locked")))[0]).toBe(0o700);
  expect((await look(join(into, "locked/f")))[0]).toBe(0o600);

  const masked = join(await tempFolder(), "b");
  await extract(rawTar(...world), masked, { modeMask: 0o660, keepTimes: false });
  expect((await look(join(masked, "World/run.sh")))[0]).toBe(0o640 | 0o600);
  expect((await stat(join(masked, "World/main.ttw"))).mtimeMs).toBeGreaterThan(1e12);
});

test("extractTar() wants an empty folder, and follows no link to one", async () => {
  const folder = await tempFolder();
  await mkdir(join(folder, "full"));
  await writeFile(join(folder, "full/mine"), "x");
  await mkdir(join(folder, "empty"));
  await symlink(join(folder, "empty"), join(folder, "link"));
  for (const name of ["full", "link"]) {
    await expect(extract(rawTar(...world), join(folder, name))).rejects.toMatchObject({ code: "target_exists" });
  }
  await extract(rawTar(...world), join(folder, "empty"));
  expect(await readdir(join(folder, "full"))).toEqual(["mine"]);
});

test("extractTar() writes through no link and over no file that appears while it unpacks", async () => {
  const outside = await tempFolder();
  await writeFile(join(outside, "precious"), "mine");
  const entries = async function* (into: string, inTheWay: () => Promise<void>): AsyncGenerator<TarEntry> {
    for await (const entry of readTar(chunksOf(rawTar({ name: "d/precious", content: large })), limits)) {
      await mkdir(into, { recursive: true });
      await inTheWay();
      yield entry;
    }
  };
  for (const where of ["folder", "file"]) {
    const into = join(await tempFolder(), "a");
    const inTheWay = async () => {
      if (where === "folder") return symlink(outside, join(into, "d"));
      await mkdir(join(into, "d"));
      await symlink(join(outside, "precious"), join(into, "d/precious"));
    };
    await expect(extractTar(entries(into, inTheWay), into, { disk: testDisk(), name: "a.tar" })).rejects.toMatchObject({
      code: "EEXIST",
    });
  }
  expect(await readTree(outside)).toEqual({ precious: "mine" });
});

test("extractTar() trusts no path that whoever filters the entries has made", async () => {
  const into = join(await tempFolder(), "a");
  const renamed = async function* () {
    for await (const entry of readTar(chunksOf(rawTar(...world)), limits)) yield { ...entry, path: `../${entry.path}` };
  };
  await expect(extractTar(renamed(), into, { disk: testDisk(), name: "a.tar" })).rejects.toMatchObject({
    code: "backup_hostile",
  });
  expect(await readdir(into)).toEqual([]);
});

test("extractTar() writes thousands of small files in few steps and syncs their file system once", async () => {
  const many = Array.from({ length: 1200 }, (_, n) => ({ name: `d${n % 7}/f${n}`, content: `content ${n}` }));
  const into = join(await tempFolder("memory"), "a");
  const steps = await stepsOf((step) => extract(rawTar(...many), into, { disk: testDisk(step) }));
  expect(steps.length).toBeLessThan(12);
  expect(steps.filter((step) => step.includes("sync"))).toEqual([expect.stringContaining("sync the file system")]);
  const found = await readTree(into);
  expect(Object.keys(found)).toHaveLength(1200);
  expect(many.every(({ name, content }) => found[name] === content)).toBe(true);
});

test("extractTar() writes small and large files by a thread, which a failed unpacking leaves usable", async () => {
  const content = (n: number) => Buffer.alloc(n % 30 === 7 ? (9 << 20) + n : (190 << 10) + n, `content ${n} `);
  const many = Array.from({ length: 60 }, (_, n) => ({ name: `d${n % 3}/f${n}`, content: content(n) }));
  const worker = new FileWorker();
  onTestFinished(() => worker.end());
  const evil = rawTar(...many, { name: "evil", type: "2", linkName: "/etc" });
  const failed = extract(evil, join(await tempFolder("memory"), "a"), { worker });
  await expect(failed).rejects.toMatchObject({ code: "backup_hostile" });
  for (const by of [worker, undefined]) {
    const into = join(await tempFolder("memory"), "a");
    expect(await extract(rawTar(...many), into, { worker: by })).toMatchObject({ files: 60, folders: 3 });
    for (const { name, content } of many) expect((await readFile(join(into, name))).equals(content)).toBe(true);
    expect((await stat(join(into, "d1/f7"))).mtimeMs).toBe(0);
  }
});

test("extractTar() writes what lies in the blocks of its thread from there, and keeps few of them", async () => {
  const worker = new FileWorker();
  onTestFinished(() => worker.end());
  const { blocks } = worker;
  const seen = new Set<ArrayBufferLike>();
  const files = Array.from({ length: 100 }, (_, n) => ({ path: `f${n}`, content: `content ${n} `.repeat(n) }));
  const entries = async function* (): AsyncGenerator<TarEntry> {
    for (const { path, content } of files) {
      // As a block of which the rest is no content of files.
      const block = blocks.take();
      seen.add(block.buffer);
      const sizeBytes = block.write(content, 100);
      const halves = [
        block.subarray(100, 100 + (sizeBytes >> 1)),
        block.subarray(100 + (sizeBytes >> 1), 100 + sizeBytes),
      ];
      const bytes = Readable.from(halves.filter(({ length }) => length > 0));
      yield { path, type: "file", sizeBytes, mtimeMs: 0, mode: 0o644, bytes };
      blocks.release(block);
    }
  };
  const into = join(await tempFolder("memory"), "a");
  expect(await extractTar(entries(), into, { disk: testDisk(), name: "a", worker })).toMatchObject({ files: 100 });
  expect(await readTree(into)).toEqual(Object.fromEntries(files.map(({ path, content }) => [path, content])));
  expect(seen.size).toBeLessThan(20);
  for (const buffer of seen) expect(blocks.has(Buffer.from(buffer))).toBe(false);
});

test("extractTar() stopped dead at any change has written nothing but what is in the archive", async () => {
  const huge = Buffer.alloc(9 << 20, "huge");
  const tar = rawTar(...world, { name: "World/dtm.raw", content: huge });
  const wanted = {
    "World/dtm.raw": huge.toString(),
    "World/main.ttw": "ttw",
    "World/Region/r.0.0.7rg": large.toString(),
    "World/Region/r.0.1.7rg": "small",
    "World/run.sh": "",
  };
  const run = (into: string) => (step: Parameters<typeof testDisk>[0]) => extract(tar, into, { disk: testDisk(step) });
  const count = (await stepsOf(run(join(await tempFolder("memory"), "a")))).length;
  expect(count).toBeGreaterThan(5);
  for (let at = 1; at <= count; at += 1) {
    const root = await tempFolder("memory");
    expect(await stopDeadAt(at, run(join(root, "a")))).toBe("stopped");
    expect((await readdir(root)).filter((name) => name !== "a")).toEqual([]);
    for (const [path, content] of Object.entries(await readTree(join(root, "a")))) {
      expect(wanted[path as keyof typeof wanted].startsWith(content)).toBe(true);
    }
  }
});

test("extractTar() passes on what is wrong with the archive, once nothing writes any more", async () => {
  const tar = rawTar(...world, { name: "evil", type: "2", linkName: "/etc" });
  const into = join(await tempFolder(), "a");
  await expect(extract(tar, into)).rejects.toMatchObject({ code: "backup_hostile" });
  const cut = rawTar(...world).subarray(0, 100_000);
  await expect(extract(cut, join(await tempFolder(), "a"))).rejects.toMatchObject({ code: "backup_damaged" });
  const lie = async function* (): AsyncGenerator<TarEntry> {
    yield { path: "a", type: "file", sizeBytes: 5, mtimeMs: 0, mode: 0o644, bytes: chunksOf(Buffer.alloc(9 << 20)) };
  };
  await expect(extractTar(lie(), join(await tempFolder(), "a"), { disk: testDisk(), name: "a" })).rejects.toThrow(
    "5 bytes",
  );
});

test("extractTar() ends when it is cancelled", async () => {
  const cancel = new AbortController();
  const run = extract(rawTar(...world), join(await tempFolder(), "a"), {
    signal: cancel.signal,
    onBytes: (bytes) => bytes > 1000 && cancel.abort(),
  });
  await expect(run).rejects.toMatchObject({ name: "AbortError" });
});
