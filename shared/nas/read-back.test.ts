import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { readdir, readFile, readlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32Text } from "../crc32.ts";
import { tempFolder } from "../testing.ts";
import { openReadBack } from "./read-back.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Some chunks and a bit, of an odd length, which O_DIRECT does not like everywhere. */
const bytes = randomBytes(2 * (1 << 20) + 4097);

async function fileWith(content: Uint8Array): Promise<string> {
  const path = join(await tempFolder(), "file");
  await writeFile(path, content);
  return path;
}

test("openReadBack() streams the whole file, and hashes it in the same pass", async () => {
  const path = await fileWith(bytes);
  const told: number[] = [];
  const file = await openReadBack(path, { onBytes: (done) => told.push(done) });
  expect(file).toMatchObject({ path, sizeBytes: bytes.length });
  const chunks: Buffer[] = [];
  for await (const chunk of file.stream()) chunks.push(Buffer.from(chunk));
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
  expect(await file.sha256()).toBe(sha256(bytes));
  expect(told.length).toBeGreaterThan(2);
  expect(told).toEqual(told.toSorted((a, b) => a - b));
  expect(told.at(-1)).toBe(bytes.length);
  await file.close();
});

test("stream() gives first chunks of the sizes that are wanted, all of the file whatever they are", async () => {
  const file = await openReadBack(await fileWith(bytes));
  const sizesOf = async (chunks: readonly number[]) => {
    const found: Buffer[] = [];
    for await (const chunk of file.stream({ chunks })) found.push(Buffer.from(chunk));
    expect(Buffer.concat(found).equals(bytes)).toBe(true);
    return found.map(({ length }) => length);
  };
  expect((await sizesOf([10, 1_000_000, 3, 999_999])).slice(0, 4)).toEqual([10, 1_000_000, 3, 999_999]);
  expect(await sizesOf([10, 1 << 30])).toEqual([10, bytes.length - 10]);
  expect(await sizesOf([bytes.length])).toEqual([bytes.length]);
  expect(await file.sha256()).toBe(sha256(bytes));
  await file.close();
});

test("stream() overwrites no chunk that a hasher still needs, and takes its sha256", async () => {
  const many = randomBytes(12 << 20);
  const file = await openReadBack(await fileWith(many));
  const hash = createHash("sha256");
  let turn = Promise.resolve();
  const hasher = {
    memory: (sizeBytes: number) => Buffer.alloc(sizeBytes),
    // Late, one after the other.
    update: (chunk: Buffer) => {
      turn = turn.then(() => nextTurn()).then(() => void hash.update(chunk));
      return turn;
    },
    digest: async () => hash.digest("hex"),
  };
  let sizeBytes = 0;
  for await (const chunk of file.stream({ hasher })) sizeBytes += chunk.length;
  expect(sizeBytes).toBe(many.length);
  expect(await file.sha256()).toBe(sha256(many));
  const failing = { ...hasher, update: () => Promise.reject(new Error("no thread")) };
  await expect(Array.fromAsync(file.stream({ hasher: failing }))).rejects.toThrow("no thread");
  await file.close();
});

test("sha256() reads a file that nobody has streamed to its end", async () => {
  const file = await openReadBack(await fileWith(bytes));
  for await (const _ of file.stream()) break;
  expect(await file.sha256()).toBe(sha256(bytes));
  expect(await file.sha256()).toBe(sha256(bytes));
  await file.close();
});

test("crc32() reads the whole file, whatever was read of it, and is written with all its digits", async () => {
  const file = await openReadBack(await fileWith(bytes));
  for await (const _ of file.stream()) break;
  expect(await file.crc32()).toBe(crc32(bytes).toString(16).padStart(8, "0"));
  expect(await file.sha256()).toBe(sha256(bytes));
  await file.close();
  const empty = await openReadBack(await fileWith(new Uint8Array()));
  expect(await empty.crc32()).toBe("00000000");
  await empty.close();
});

test("crc32() lets another thread take its share, and joins the sums in the order of the file", async () => {
  const many = randomBytes((18 << 20) + 1);
  const path = await fileWith(many);
  const shares: number[] = [];
  const other = {
    crc32: async (_: string, from: number, lengthBytes: number) => {
      shares.push(from);
      await nextTurn();
      return crc32(many.subarray(from, from + lengthBytes));
    },
  };
  const told: number[] = [];
  const file = await openReadBack(path, { onBytes: (done) => told.push(done) });
  expect(await file.crc32(other)).toBe(crc32Text(crc32(many)));
  expect(shares.length).toBeGreaterThan(1);
  expect(told).toEqual(told.toSorted((a, b) => a - b));
  expect(told.at(-1)).toBe(many.length);
  await truncate(path, 18 << 20);
  await expect(file.crc32({ crc32: async () => undefined })).rejects.toMatchObject({ code: "backup_damaged" });
  await expect(file.crc32({ crc32: () => Promise.reject(new Error("gone")) })).rejects.toThrow(/gone|are there/);
  await file.close();
});

test("openReadBack() knows an empty file", async () => {
  const file = await openReadBack(await fileWith(new Uint8Array()));
  expect([file.sizeBytes, await file.sha256()]).toEqual([0, sha256(new Uint8Array())]);
  await file.close();
});

test("read() gives any part, aligned or not", async () => {
  const file = await openReadBack(await fileWith(bytes));
  const part = fc
    .tuple(fc.nat(bytes.length), fc.nat(5000))
    .map(([at, length]) => [at, Math.min(length, bytes.length - at)] as const);
  await fc.assert(
    fc.asyncProperty(part, async ([at, length]) => {
      expect((await file.read(at, length)).equals(bytes.subarray(at, at + length))).toBe(true);
    }),
    { numRuns: 50 },
  );
  await file.close();
});

test("read(), stream() and sha256() say that a file is damaged which ends before it should", async () => {
  const path = await fileWith(bytes);
  const file = await openReadBack(path);
  await truncate(path, 5000);
  const damaged = { code: "backup_damaged", message: expect.stringContaining(path) };
  await expect(file.read(4990, 20)).rejects.toMatchObject(damaged);
  await expect(Array.fromAsync(file.stream())).rejects.toMatchObject(damaged);
  await expect(file.sha256()).rejects.toMatchObject(damaged);
  await file.close();
});

test("stream() ends when its run is cancelled", async () => {
  const cancelled = new AbortController();
  const file = await openReadBack(await fileWith(bytes), { signal: cancelled.signal });
  const reading = async () => {
    for await (const _ of file.stream()) cancelled.abort(new Error("cancelled"));
  };
  await expect(reading()).rejects.toThrow("cancelled");
  await file.close();
});

test("openReadBack() leaves no file open that could not be read, and none that was closed", async () => {
  const openFiles = () => readdir("/proc/self/fd").catch(() => []);
  const path = await fileWith(bytes);
  const before = await openFiles();
  for (let index = 0; index < 20; index += 1) {
    await expect(openReadBack(join(path, "../not-there"))).rejects.toMatchObject({ code: "ENOENT" });
    await (await openReadBack(path)).close();
  }
  expect((await openFiles()).length).toBeLessThan(before.length + 10);
});

test("openReadBack() refuses what is no file, and goes on reading past the cache on that file system", async ({
  skip,
}) => {
  const folder = await tempFolder("memory");
  const path = join(folder, "file");
  await writeFile(path, bytes);
  const isDirect = async () => {
    const file = await openReadBack(path);
    try {
      const names = await readdir("/proc/self/fd").catch(() => []);
      const links = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")));
      const at = names[links.indexOf(path)];
      const [, flags] = /flags:\s*(\d+)/.exec(await readFile(`/proc/self/fdinfo/${at}`, "utf8").catch(() => "")) ?? [];
      return (Number.parseInt(flags ?? "0", 8) & (constants.O_DIRECT ?? 0)) !== 0;
    } finally {
      await file.close();
    }
  };
  if (!(await isDirect())) return skip("no file system here has a use for O_DIRECT");
  await expect(openReadBack(folder)).rejects.toMatchObject({ code: "backup_damaged" });
  await promisify(execFile)("mkfifo", [join(folder, "pipe")]);
  await expect(openReadBack(join(folder, "pipe"))).rejects.toMatchObject({ code: "backup_damaged" });
  expect(await isDirect()).toBe(true);
});
