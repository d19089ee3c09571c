import { createHash } from "node:crypto";
import { open, readdir, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Disk } from "../disk.ts";
import { createStep } from "../step.ts";
import { boxContext, boxRun, makeNas, tempFolder } from "../testing.ts";
import type { MirrorRun } from "./app-run.ts";
import { placeFile } from "./mirror-file.ts";

/** In one part; in several of them, read back while others are written, and hashed on another thread. */
const sizes = { small: 100_000, large: (72 << 20) + 5 };

/** A model of this size, and what places it on a NAS. */
async function model(sizeBytes: number) {
  const { root, folders } = await makeNas(await tempFolder("memory"));
  const from = join(await tempFolder("memory"), "blob");
  await writeFile(from, "its beginning");
  await truncate(from, sizeBytes);
  const hash = createHash("sha256");
  for await (const chunk of (await open(from)).createReadStream()) hash.update(chunk);
  const sha256 = hash.digest("hex");
  const target = join(root, "box", "blob");
  const place = (onStep: (what: string) => Promise<void> = async () => {}) => {
    const step = createStep({ onStep });
    const ctx = { ...boxContext(step), disk: new Disk(step) };
    const run = boxRun(ctx, folders, { version: 1 }) as unknown as MirrorRun;
    return placeFile(run, { kind: "file", path: "blob", from, sizeBytes, sha256 }, join(root, "box"), undefined);
  };
  return { sha256, target, folders, place };
}

/** Changes one byte of a file, as a NAS would whose memory is bad. */
async function damage(path: string, at: number): Promise<void> {
  const file = await open(path, "r+");
  await file.write(Buffer.of(0xff), 0, 1, at);
  await file.close();
}

test.each(Object.entries(sizes))("placeFile() copies a %s file, and takes over what is there", async (_, sizeBytes) => {
  const { sha256, target, place } = await model(sizeBytes);
  expect(await place()).toEqual({ kind: "file", name: "blob", sizeBytes, sha256, checksum: sha256 });
  expect((await stat(target)).size).toBe(sizeBytes);
  expect(await place(async (what) => expect.fail(what))).toMatchObject({ sha256 });
});

test.each([
  ["the only part", sizes.small, /^fsync (.*\/file)$/, sizes.small - 1],
  ["the first of several parts", sizes.large, /^write the rest of (.*\/file)$/, 7],
  ["the last of several parts", sizes.large, /^fsync (.*\/file)$/, sizes.large - 1],
])("placeFile() finds by reading back what a NAS damages in %s, and gives it no name", async (_, size, when, at) => {
  const { target, folders, place } = await model(size);
  const placed = place(async (what) => {
    const path = when.exec(what)?.[1];
    if (path !== undefined) await damage(path, at);
  });
  await expect(placed).rejects.toMatchObject({
    code: "nas_write_failed",
    message: expect.stringMatching(/sha256 \w+ was sent, \w+ was read back/),
  });
  await expect(stat(target)).rejects.toMatchObject({ code: "ENOENT" });
  // It is made anew the next time.
  expect(await readdir(folders.incoming)).toEqual(["file"]);
  expect(await place()).toMatchObject({ sizeBytes: size });
});
