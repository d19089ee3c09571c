import { mkdtemp, rename, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fileFingerprint } from "./fingerprint.ts";

const fingerprintOf = async (path: string) => fileFingerprint(path, await stat(path));

test("fileFingerprint() stays as long as nobody touches the file", async () => {
  const path = join(await mkdtemp(join(tmpdir(), "fingerprint-")), "a");
  await writeFile(path, "one");
  expect(await fingerprintOf(path)).toBe(await fingerprintOf(path));
});

test("fileFingerprint() notices other bytes of the same length under a forged mtime", async () => {
  const path = join(await mkdtemp(join(tmpdir(), "fingerprint-")), "a");
  await writeFile(path, "one");
  const before = await stat(path);
  const fingerprint = await fingerprintOf(path);
  await writeFile(path, "two");
  await utimes(path, before.atime, before.mtime);
  expect(await fingerprintOf(path)).not.toBe(fingerprint);
});

test("fileFingerprint() notices another file in the place of the old one", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fingerprint-"));
  await writeFile(join(folder, "a"), "one");
  const fingerprint = await fingerprintOf(join(folder, "a"));
  await writeFile(join(folder, "b"), "one");
  await rename(join(folder, "b"), join(folder, "a"));
  expect(await fingerprintOf(join(folder, "a"))).not.toBe(fingerprint);
});
