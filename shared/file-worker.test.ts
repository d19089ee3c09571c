import { mkdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { FileWorker } from "./file-worker.ts";
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
  await worker.write([a, { ...b, modifiedAtMs: 1_700_000_000_000 }], { fileMode: 0o600 });
  expect(await readTree(folder)).toEqual({ a: "many", b: "bytes" });
  const [ofA, ofB] = await Promise.all([stat(a.path), stat(b.path)]);
  expect([ofA.mode & 0o777, ofB.mode & 0o777, ofB.mtimeMs]).toEqual([0o600, 0o640, 1_700_000_000_000]);
  expect(await worker.firstOther([a, b])).toBeUndefined();
});

test("FileWorker finds files with other bytes, more or fewer of them", async () => {
  const worker = started();
  const folder = await tempFolder();
  const files = ["good", "other", "longer", "shorter"].map((name) => inMemory(join(folder, name), 0, 4));
  await worker.write(files, { fileMode: 0o600 });
  const spoilt = { other: "mann", longer: "many!", shorter: "man" };
  for (const [name, text] of Object.entries(spoilt)) await writeFile(join(folder, name), text);
  for (const [index, name] of Object.keys(spoilt).entries()) {
    expect(await worker.firstOther([files[0] as never, ...files.slice(index + 1)])).toBe(join(folder, name));
  }
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
  await expect(worker.firstOther([missing])).rejects.toMatchObject({ code: "ENOENT" });
  await mkdir(join(folder, "none"));
  await worker.write([missing], { fileMode: 0o600 });
  expect(await readTree(folder)).toMatchObject({ mine: "mine", "none/a": "many" });
});

test("FileWorker that has ended fails what waits, and what comes later", async () => {
  const worker = new FileWorker();
  const waiting = worker.firstOther([]).catch((error: Error) => error.message);
  await worker.end();
  expect(await waiting).toContain("their thread has ended");
  await expect(worker.firstOther([])).rejects.toThrow("their thread has ended");
});
