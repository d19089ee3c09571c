import { randomBytes } from "node:crypto";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder } from "../testing.ts";
import { chunksOf } from "./chunks.ts";

async function read(content: Buffer, sizeBytes?: number, stopAfter = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const path = join(await tempFolder(), "file");
  await writeFile(path, content);
  const file = await open(path);
  const chunks: Buffer[] = [];
  for await (const chunk of chunksOf(file, sizeBytes)) {
    chunks.push(Buffer.from(chunk));
    if (chunks.length >= stopAfter) break;
  }
  await file.close();
  return Buffer.concat(chunks);
}

test("chunksOf() gives the whole content, whatever its length", async () => {
  for (const length of [0, 1, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, 3_000_000]) {
    const content = randomBytes(length);
    expect((await read(content)).equals(content), `${length} bytes`).toBe(true);
  }
});

test("chunksOf() ends where it is told, or where the file does", async () => {
  const content = randomBytes(1_500_000);
  expect((await read(content, 700_001)).equals(content.subarray(0, 700_001))).toBe(true);
  expect((await read(content, 9_000_000)).equals(content)).toBe(true);
  expect(await read(content, 0)).toEqual(Buffer.alloc(0));
});

test("chunksOf() that is left early lets go of the file", async () => {
  const content = randomBytes(3_000_000);
  expect((await read(content, undefined, 1)).equals(content.subarray(0, 1 << 18))).toBe(true);
});
