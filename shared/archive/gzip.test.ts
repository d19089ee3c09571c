import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Transform } from "node:stream";
import { DeflateRaw, gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { tempFolder } from "../testing.ts";
import { gunzipBlocks, gzipBlocks } from "./gzip.ts";
import { chunksOf, collect, gzipped } from "./testing.ts";

const limits = { maxBytes: 1 << 30, name: "world.tar.gz" };
const gunzipped = (file: Uint8Array, blocks?: readonly number[]) =>
  collect(gunzipBlocks(chunksOf(file, 777), { ...limits, ...(blocks && { blocks }) }));

/** Bytes that look random and are the same each time. */
function noise(length: number, seed = "a"): Buffer {
  const parts = Array.from({ length: Math.ceil(length / 32) }, (_, n) =>
    createHash("sha256").update(`${seed}${n}`).digest(),
  );
  return Buffer.concat(parts).subarray(0, length);
}
const text = (lines: number) =>
  Buffer.from(
    Array.from({ length: lines }, (_, n) => `<decoration name="house_${n % 90}" x="${(n * 7919) % 4001}" />\n`).join(
      "",
    ),
  );
/** As a region file: sectors of 4 KiB, each chunk's deflated data padded with zeros. */
const sectors = (count: number) =>
  Buffer.concat(
    Array.from({ length: count }, (_, n) =>
      Buffer.concat([noise(9000 + n * 10, `s${n}`), Buffer.alloc(3288 - n * 10)]),
    ),
  );
const heights = (side: number) => {
  const map = Buffer.alloc(side * side * 2);
  for (let n = 0; n < side * side; n += 1) {
    map.writeUInt16LE(Math.round(20_000 + 9000 * Math.sin((n % side) / 90) * Math.cos(n / side / 70)), n * 2);
  }
  return map;
};

test("gzipBlocks() and gunzipBlocks() give back the same bytes, in parallel and not, for any data and blocks", async () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
    fc.integer({ min: 0, max: 9000 }).map((length) => Buffer.alloc(length)),
    fc.integer({ min: 0, max: 9000 }).map((length) => noise(length, String(length))),
    fc.integer({ min: 0, max: 200 }).map(text),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(piece, { maxLength: 8 }),
      fc.integer({ min: 1000, max: 20_000 }),
      fc.integer({ min: 0, max: 9 }),
      async (pieces, blockBytes, level) => {
        const bytes = Buffer.concat(pieces);
        const { file, blocks } = await gzipped(bytes, { blockBytes, level });
        expect(blocks.length).toBe(Math.ceil(bytes.length / blockBytes));
        expect(blocks.reduce((sum, size) => sum + size, 20)).toBe(file.length);
        expect(gunzipSync(file).equals(bytes)).toBe(true);
        expect((await gunzipped(file)).equals(bytes)).toBe(true);
        expect((await gunzipped(file, blocks)).equals(bytes)).toBe(true);
      },
    ),
    { numRuns: 40 },
  );
});

test("gzipBlocks() gives the same file whatever runs at the same time and however the bytes arrive", async () => {
  const bytes = Buffer.concat([text(20_000), sectors(60), heights(400)]);
  const files = await Promise.all(
    [1, 2, 4].map(async (concurrency) =>
      collect(gzipBlocks(chunksOf(bytes, 10_007 * concurrency), { concurrency, blockBytes: 1 << 17 })),
    ),
  );
  expect(new Set(files.map((file) => createHash("sha256").update(file).digest("hex"))).size).toBe(1);
  // No name and no time: what differs is what was packed, and nothing else.
  expect([...(files[0] as Buffer).subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
});

const kinds: Record<string, () => Buffer> = {
  text: () => text(40_000),
  "a height map": () => heights(1000),
  "sectors of deflated data": () => sectors(150),
  "random bytes": () => noise(1_500_000),
  "random bytes, a few of them again and again": () =>
    Buffer.concat(Array.from({ length: 300 }, (_, n) => [noise(100, "again"), noise(5000, `${n}`)]).flat()),
  zeros: () => Buffer.alloc(3_000_000),
  nothing: () => Buffer.alloc(0),
  "random bytes, each stretch twice": () =>
    Buffer.concat(Array.from({ length: 60 }, (_, n) => [noise(8000, `${n}`), noise(8000, `${n}`)]).flat()),
};

test.each(Object.keys(kinds))(
  "gzipBlocks() writes what gzip and pigz read, hardly larger than theirs: %s",
  async (kind) => {
    const bytes = (kinds[kind] as () => Buffer)();
    const folder = await tempFolder();
    const { file } = await gzipped(bytes);
    await writeFile(join(folder, "file.gz"), file);
    for (const program of ["gzip", "pigz"].filter(isThere)) {
      execFileSync(program, ["-t", join(folder, "file.gz")]);
      const unpacked = execFileSync(program, ["-dc", join(folder, "file.gz")], { maxBuffer: 1 << 28 });
      expect(unpacked.equals(bytes)).toBe(true);
      const theirs = execFileSync(program, ["-6nc"], { input: bytes, maxBuffer: 1 << 28 });
      expect(file.length).toBeLessThanOrEqual(theirs.length * 1.05 + 50);
    }
  },
);

test("gunzipBlocks() reads what gzip, pigz and zlib write: several members, names, extra fields", async () => {
  const folder = await tempFolder();
  await writeFile(join(folder, "named.txt"), text(3000));
  for (const program of ["gzip", "pigz"].filter(isThere)) {
    const file = execFileSync(program, ["-c", join(folder, "named.txt")]);
    expect((await gunzipped(file)).equals(text(3000))).toBe(true);
  }
  const members = Buffer.concat([gzipSync(text(10)), gzipSync(""), gzipSync(noise(70_000))]);
  expect((await gunzipped(members)).equals(Buffer.concat([text(10), noise(70_000)]))).toBe(true);
  const plain = gzipSync("content").subarray(10);
  // FHCRC needs the header's own checksum, which is that of these bytes.
  const all = Buffer.from([0x1f, 0x8b, 8, 4 | 8 | 16, 1, 2, 3, 4, 2, 3, 3, 0, 9, 9, 9, 0x61, 0, 0x62, 0x63, 0]);
  expect((await gunzipped(Buffer.concat([all, plain]))).toString()).toBe("content");
});

test("gunzipBlocks() refuses data after the end, even zeros", async () => {
  const { file, blocks } = await gzipped(text(100));
  for (const more of [Buffer.from("x"), Buffer.alloc(1), Buffer.alloc(512), Buffer.from([0x1f])]) {
    const damaged = Buffer.concat([file, more]);
    await expect(gunzipped(damaged)).rejects.toMatchObject({ code: "backup_damaged" });
    await expect(gunzipped(damaged, blocks)).rejects.toMatchObject({ code: "backup_damaged" });
  }
});

test("gunzipBlocks() notices the end that is missing, wherever the file ends", async () => {
  const { file, blocks } = await gzipped(Buffer.concat([text(3), noise(90), Buffer.alloc(300)]), { blockBytes: 200 });
  for (let length = 0; length < file.length; length += 1) {
    const cut = file.subarray(0, length);
    const wanted = { code: "backup_damaged", message: expect.stringMatching(/world\.tar\.gz.* at byte \d+/) };
    await expect(gunzipped(cut)).rejects.toMatchObject(wanted);
    await expect(gunzipped(cut, blocks)).rejects.toMatchObject(wanted);
  }
});

test("gunzipBlocks() notices every flipped bit that changes the content", async () => {
  const bytes = Buffer.concat([text(3), noise(90), Buffer.alloc(200)]);
  const { file, blocks } = await gzipped(bytes, { blockBytes: 150 });
  for (let bit = 0; bit < file.length * 8; bit += 5) {
    const flipped = Buffer.from(file);
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
    for (const index of [undefined, blocks]) {
      const read = await gunzipped(flipped, index).catch((error) => {
        expect(error).toMatchObject({ code: "backup_damaged" });
        return bytes;
      });
      expect(read.equals(bytes)).toBe(true);
    }
  }
});

test("gunzipBlocks() finds out an index that is not the file's, and never gives other bytes as proven", async () => {
  const bytes = Buffer.concat([text(400), noise(9000), Buffer.alloc(5000), text(90)]);
  const { file, blocks } = await gzipped(bytes, { blockBytes: 4000 });
  const [a, b, c, ...rest] = blocks as [number, number, number, ...number[]];
  const lies: readonly (readonly number[])[] = [
    [], [a], blocks.slice(1), blocks.slice(0, -1), [...blocks, 5], [...blocks, 0], [a + 1, b - 1, c, ...rest],
    [a, c, b, ...rest], [a - 1, 1, b, c, ...rest], [-a, b, c, ...rest],
    [a + 0.5, b - 0.5, c, ...rest], [Number.NaN], [1e12], [file.length - 20 + 2], [0, ...blocks],
  ]; // biome-ignore format: a table
  for (const lie of lies) {
    await expect(gunzipped(file, lie)).rejects.toMatchObject({ code: "backup_damaged" });
  }
  // Blocks taken together are deflated data too: another index, which gives the same bytes.
  expect((await gunzipped(file, [a + b, c, ...rest])).equals(bytes)).toBe(true);
  for (let cut = 1; cut < a + b; cut += 7) {
    const read = await gunzipped(file, [cut, a + b - cut, c, ...rest]).catch((error) => {
      expect(error).toMatchObject({ code: "backup_damaged" });
      return bytes;
    });
    expect(read.equals(bytes)).toBe(true);
  }
  const other = gzipSync(bytes);
  await expect(gunzipped(other, [other.length - 20])).rejects.toMatchObject({ code: "backup_damaged" });
});

test("gunzipBlocks() stops a bomb at its limit", async () => {
  const bomb = gzipSync(Buffer.alloc(64 << 20), { level: 9 });
  const seen = { bytes: 0 };
  const read = async (index?: readonly number[]) => {
    const options = { maxBytes: 1 << 20, name: "bomb", ...(index && { blocks: index }) };
    for await (const part of gunzipBlocks(chunksOf(bomb, 4096), options)) seen.bytes += part.length;
  };
  await expect(read()).rejects.toMatchObject({ code: "backup_hostile" });
  expect(seen.bytes).toBeLessThanOrEqual(1 << 20);
  // One block that would take 64 MiB of memory is no block of ours.
  await expect(read([bomb.length - 20])).rejects.toMatchObject({ code: "backup_damaged" });
  const { file, blocks } = await gzipped(Buffer.alloc(1 << 20), { blockBytes: 1 << 18 });
  await expect(
    collect(gunzipBlocks(chunksOf(file), { blocks, maxBytes: (1 << 20) - 1, name: "bomb" })),
  ).rejects.toMatchObject({ code: "backup_hostile" });
});

/** A stream that tells whether it was closed. */
function watched(bytes: Buffer, onChunk?: (index: number) => void) {
  const seen = { closed: false };
  const stream = (async function* () {
    try {
      for (let at = 0; at < bytes.length; at += 4096) {
        onChunk?.(at / 4096);
        yield bytes.subarray(at, at + 4096);
      }
    } finally {
      seen.closed = true;
    }
  })();
  return { stream, seen };
}

test("gzipBlocks() and gunzipBlocks() that are cancelled, left, or whose source fails, close their source", async () => {
  const bytes = text(60_000);
  const { file, blocks } = await gzipped(bytes, { blockBytes: 1 << 15 });
  const ways = [
    (stream: AsyncIterable<Buffer>, signal?: AbortSignal) => gzipBlocks(stream, { blockBytes: 1 << 15, ...(signal && { signal }) }),
    (stream: AsyncIterable<Buffer>, signal?: AbortSignal) => gunzipBlocks(stream, { ...limits, ...(signal && { signal }) }),
    (stream: AsyncIterable<Buffer>, signal?: AbortSignal) => gunzipBlocks(stream, { ...limits, blocks, ...(signal && { signal }) }),
  ]; // biome-ignore format: a table
  for (const [index, way] of ways.entries()) {
    const input = index === 0 ? bytes : file;
    const cancel = new AbortController();
    const cancelled = watched(input, (chunk) => chunk === 8 && cancel.abort());
    await expect(collect(way(cancelled.stream, cancel.signal))).rejects.toMatchObject({ name: "AbortError" });
    expect(cancelled.seen.closed).toBe(true);

    const left = watched(input);
    for await (const part of way(left.stream)) if (part.length > 100) break;
    expect(left.seen.closed).toBe(true);

    const failing = watched(input, (chunk) => {
      if (chunk === 8) throw new Error("nas gone");
    });
    await expect(collect(way(failing.stream))).rejects.toThrow("nas gone");
  }
});

test("gzipBlocks() that proves its blocks writes the same, and sends none that a broken zlib made", async () => {
  const bytes = Buffer.concat([text(20_000), sectors(30), noise(9000)]);
  const { file } = await gzipped(bytes);
  expect((await gzipped(bytes, { proven: true })).file.equals(file)).toBe(true);

  // A bit of what zlib has made flips in memory.
  const engine = DeflateRaw.prototype as Transform;
  onTestFinished(() => void Reflect.deleteProperty(engine, "push"));
  engine.push = function (chunk?: Buffer) {
    if (chunk) chunk.writeUInt8(chunk.readUInt8(chunk.length >> 1) ^ 1, chunk.length >> 1);
    return Transform.prototype.push.call(this, chunk);
  };
  const proven = watched(text(60_000));
  const sent = collect(gzipBlocks(proven.stream, { proven: true }));
  await expect(sent).rejects.toMatchObject({ code: "internal", message: expect.stringMatching(/Cannot pack/) });
  expect(proven.seen.closed).toBe(true);
  expect((await gzipped(bytes)).file.equals(file)).toBe(false);
});

test("gzipBlocks() refuses blocks that could not be read again", async () => {
  for (const blockBytes of [0, -1, Number.NaN, 5 << 20]) {
    await expect(collect(gzipBlocks(chunksOf(randomBytes(9)), { blockBytes }))).rejects.toThrow(RangeError);
  }
});

function isThere(program: string): boolean {
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
