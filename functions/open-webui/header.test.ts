import { readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeDatabase } from "../../deploy/local/lab/open-webui/make-database.ts";
import { tempFolder } from "../../shared/testing.ts";
import { headerBytes, parseHeader, requireWhole } from "./header.ts";

async function head(options: Parameters<typeof makeDatabase>[1] = {}) {
  const path = join(await tempFolder(), "webui.db");
  makeDatabase(path, { chats: 2, ...options });
  const bytes = await readFile(path);
  return { path, bytes, first: Buffer.from(bytes.subarray(0, headerBytes)) };
}

test("parseHeader() reads page size, pages and journal mode as SQLite wrote them", async () => {
  const { bytes, first } = await head();
  expect(parseHeader(first)).toEqual({ pageBytes: 4096, pages: bytes.length / 4096, freePages: 0, wal: false });
  expect(parseHeader((await head({ wal: true })).first)).toMatchObject({ wal: true });
});

test("parseHeader() knows what is no SQLite file: too short, another magic, no possible page size or version", async () => {
  const { first } = await head();
  const changed = (offset: number, ...values: number[]) => {
    const copy = Buffer.from(first);
    copy.set(values, offset);
    return copy;
  };
  for (const bytes of [
    first.subarray(0, 99),
    changed(0, 0),
    changed(16, 3, 0),
    changed(16, 0, 2),
    changed(18, 3),
    changed(19, 0),
  ])
    expect(parseHeader(bytes)).toBeUndefined();
  expect(parseHeader(changed(16, 0, 1))).toMatchObject({ pageBytes: 65_536 });
  // Written last by a SQLite that did not keep the number of pages.
  expect(parseHeader(changed(92, 0, 0, 0, 99))).not.toHaveProperty("pages");
});

test("requireWhole() notices a file that is cut at a page, elsewhere, or to nothing", async () => {
  const { path, bytes, first } = await head();
  expect(requireWhole(path, bytes.length, first)).toMatchObject({ pageBytes: 4096 });
  for (const sizeBytes of [bytes.length - 4096, bytes.length - 1, bytes.length + 4096, 0])
    expect(() => requireWhole(path, sizeBytes, first)).toThrow(`${bytes.length} bytes are wanted, are ${sizeBytes}`);
  await truncate(path, 50);
  expect(() => requireWhole(path, 50, first.subarray(0, 50))).toThrow("its header is none");
});
