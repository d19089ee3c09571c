import { hash, randomBytes } from "node:crypto";
import { mkdir, stat, symlink, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { FileWorker, fileWorkerFor } from "./file-worker.ts";
import { readTree, tempFolder } from "./testing.ts";

function started(): FileWorker {
  const worker = new FileWorker();
  onTestFinished(() => worker.end());
  return worker;
}

const memory = FileWorker.memory(1000);
memory.fill("many bytes");
const inMemory = (path: string, from: number, to: number) => ({ path, bytes: memory.subarray(from, to) });

test("FileWorker writes files from shared memory, with their modes and times, and reads them back", async () => {
  const worker = started();
  const folder = await tempFolder();
  const [a, b] = [inMemory(join(folder, "a"), 0, 4), { ...inMemory(join(folder, "b"), 5, 10), mode: 0o640 }];
  const files = [a, { ...b, modifiedAtMs: 1_700_000_000_000 }];
  expect(await worker.write(files, { fileMode: 0o600 })).toBeUndefined();
  expect(await readTree(folder)).toEqual({ a: "many", b: "bytes" });
  const [ofA, ofB] = await Promise.all([stat(a.path), stat(b.path)]);
  expect([ofA.mode & 0o777, ofB.mode & 0o777, ofB.mtimeMs]).toEqual([0o600, 0o640, 1_700_000_000_000]);
});

test("FileWorker writes a large file in parts, and finds one that does not end with what was written", async () => {
  const worker = started();
  const folder = await tempFolder();
  const [path, other] = [join(folder, "large"), join(folder, "other")];
  const parts = (of: string) => [inMemory(of, 0, 5), { ...inMemory(of, 5, 10), from: 5 }];
  expect(await worker.write(parts(path), { fileMode: 0o600 })).toBeUndefined();
  expect(await worker.write([{ ...inMemory(path, 0, 3), from: 10 }], { fileMode: 0o600 })).toBeUndefined();
  expect(await readTree(folder)).toEqual({ large: "many bytesman" });
  await writeFile(other, "somebody wrote here");
  const missing = { ...inMemory(join(folder, "missing"), 0, 4), from: 4 };
  expect(await worker.write([{ ...inMemory(other, 0, 4), from: 4 }], { fileMode: 0o600 })).toBe(other);
  await expect(worker.write([missing], { fileMode: 0o600 })).rejects.toMatchObject({ code: "ENOENT" });
  await symlink(path, join(folder, "link"));
  const throughLink = { ...inMemory(join(folder, "link"), 0, 4), from: 4 };
  await expect(worker.write([throughLink], { fileMode: 0o600 })).rejects.toMatchObject({ code: "ELOOP" });
});

test("FileWorker replaces no file, follows no link, tells what failed by its code, and goes on", async () => {
  const worker = started();
  const folder = await tempFolder();
  await writeFile(join(folder, "mine"), "mine");
  await symlink(join(folder, "elsewhere"), join(folder, "link"));
  for (const name of ["mine", "link"]) {
    const file = inMemory(join(folder, name), 0, 4);
    await expect(worker.write([file], { fileMode: 0o600 })).rejects.toMatchObject({ code: "EEXIST", path: file.path });
  }
  const missing = inMemory(join(folder, "none/a"), 0, 4);
  await expect(worker.write([missing], { fileMode: 0o600 })).rejects.toMatchObject({ code: "ENOENT" });
  await mkdir(join(folder, "none"));
  await worker.write([missing], { fileMode: 0o600 });
  expect(await readTree(folder)).toMatchObject({ mine: "mine", "none/a": "many" });
});

test("FileWorker writes without reading back, and proves what is there", async () => {
  const worker = started();
  const folder = await tempFolder();
  const files = [inMemory(join(folder, "a"), 0, 4), inMemory(join(folder, "b"), 5, 10)];
  await worker.writeOnly(files, { fileMode: 0o600 });
  await expect(worker.writeOnly(files, { fileMode: 0o600 })).rejects.toMatchObject({ code: "EEXIST" });
  const paths = ["a", "none", "b", "a/none"].map((name) => join(folder, name));
  expect(await worker.prove(paths)).toEqual([
    { sizeBytes: 4, sha256: hash("sha256", "many") },
    undefined,
    { sizeBytes: 5, sha256: hash("sha256", "bytes") },
    undefined,
  ]);
  await expect(worker.prove([folder])).rejects.toMatchObject({ code: "EISDIR" });
});

test("FileWorker sums a part of a file, and says when the file ends before", async () => {
  const worker = started();
  const [path, bytes] = [join(await tempFolder(), "large"), randomBytes(700_000)];
  await writeFile(path, bytes);
  expect(await worker.crc32(path, 0, 700_000)).toBe(crc32(bytes));
  expect(await worker.crc32(path, 1000, 699_000)).toBe(crc32(bytes.subarray(1000)));
  expect(await worker.crc32(path, 1000, 699_001)).toBeUndefined();
  await expect(worker.crc32(`${path}.none`, 0, 1)).rejects.toMatchObject({ code: "ENOENT" });
});

test("FileWorker that has ended fails what waits, and what comes later", async () => {
  const worker = new FileWorker();
  const waiting = worker.write([], { fileMode: 0o600 }).catch((error: Error) => error.message);
  await worker.end();
  expect(await waiting).toContain("their thread has ended");
  await expect(worker.write([], { fileMode: 0o600 })).rejects.toThrow("their thread has ended");
});

test("fileWorkerFor() starts none for little to write", async () => {
  const folder = await tempFolder();
  expect(await fileWorkerFor(folder, 1 << 20)).toBeUndefined();
  const worker = await fileWorkerFor(folder, 64 << 20);
  onTestFinished(() => worker?.end());
  expect(worker !== undefined).toBe(availableParallelism() > 1 && process.platform === "linux");
});

test("FileWorker hashes one thing after the other, also after one that nobody has ended", async () => {
  const worker = started();
  const sumOf = async (...parts: Buffer[]) => {
    const hasher = worker.hasher();
    await Promise.all(parts.map((part) => hasher.update(part)));
    return hasher.digest();
  };
  const [a, b] = [memory.subarray(0, 400), memory.subarray(400)];
  expect(await sumOf(a, b)).toBe(hash("sha256", memory));
  await worker.hasher().update(b);
  expect(await sumOf(a)).toBe(hash("sha256", a));
  expect(await sumOf()).toBe(hash("sha256", ""));
});
