import { utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { beginPull } from "../../deploy/local/lab/ollama/make-store.ts";
import { tempFolder } from "../../shared/testing.ts";
import { findPulls, isUnderWay, unfinished } from "./pulls.ts";
import { readStore } from "./store.ts";

const blob = `sha256-${"a".repeat(64)}`;

test("unfinished() knows what Ollama writes before a blob has its name", () => {
  for (const suffix of ["-partial", "-partial-0", "-partial-15", ".tmp"]) {
    expect(unfinished(blob + suffix)).toEqual({ blob });
  }
  expect(unfinished("sha256-2839471")).toEqual({});
  for (const name of [blob, ".DS_Store", `${blob}-partial-x`, `${blob}.bak`, "sha256-", "readme"]) {
    expect(unfinished(name)).toBeUndefined();
  }
});

test("findPulls() sees one download in its many files, and that it grows", async () => {
  const store = await tempFolder();
  const pull = await beginPull(store, { kind: "model", key: "w", sizeBytes: 2_500_000 });
  await pull.grow();
  await pull.close();
  const found = await findPulls(store, (await readStore(store)).others);
  expect(found).toHaveLength(1);
  expect(pull.partial).toContain(found[0]?.blob as string);
  expect(isUnderWay(found[0] as never, Date.now(), 60_000)).toBe(true);
});

test("findPulls() goes by the newest file of a download, and sees when nobody writes any more", async () => {
  const store = await tempFolder();
  const pull = await beginPull(store, { kind: "model", key: "w", sizeBytes: 2_500_000 });
  await pull.close();
  await utimes(pull.partial, 1000, 1000);
  await utimes(`${pull.partial}-0`, 2000, 2000);
  const [found] = await findPulls(store, (await readStore(store)).others);
  expect(found?.writtenAtMs).toBe(2_000_000);
  expect(isUnderWay(found as never, Date.now(), 60_000)).toBe(false);
});

test("isUnderWay() believes no time that lies far ahead", () => {
  expect(isUnderWay({ writtenAtMs: 1e9 }, 0, 60_000)).toBe(false);
  expect(isUnderWay({ writtenAtMs: 1000 }, 0, 60_000)).toBe(true);
});

test("findPulls() leaves out what is no download", async () => {
  const store = await tempFolder();
  await (await beginPull(store, { kind: "model", key: "w", sizeBytes: 1000 })).close();
  await writeFile(join(store, "blobs/.DS_Store"), "Finder");
  expect(await findPulls(store, [".DS_Store", "gone-sha256", `${blob}-partial`])).toEqual([]);
});
