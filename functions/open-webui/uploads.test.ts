import { mkdir, readFile, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import type { Facts } from "../../shared/app.ts";
import { gzipBlocks } from "../../shared/archive/gzip.ts";
import { type TarSource, tarOf } from "../../shared/archive/tar-write.ts";
import { openReadBack } from "../../shared/nas/read-back.ts";
import { readTree, tempFolder, testDisk, writeTree } from "../../shared/testing.ts";
import { folderStage, overwrite, testContext } from "./testing.ts";
import { captureUploads, extractUploads, proveUploads, unpackedBytes } from "./uploads.ts";

const files = {
  "1_manual.txt": "turn it on",
  "2_ü ✓.pdf": "%PDF",
  "sub/3_big.bin": "x".repeat(700_000),
  "4_empty": "",
};

async function lab(tree: Record<string, string> = files) {
  const root = await tempFolder();
  const folder = join(root, "uploads");
  await mkdir(folder);
  await writeTree(folder, tree);
  const { ctx, warnings } = await testContext({});
  const stage = folderStage(root);
  const archive = async () => {
    const file = await openReadBack(join(root, "uploads.staged"));
    onTestFinished(() => file.close());
    return file;
  };
  // Under another name than the folder's.
  const renamed = {
    ...stage,
    write: (_: string, bytes: AsyncIterable<Uint8Array>) => stage.write("uploads.staged", bytes),
  };
  return { root, folder, ctx, warnings, stage: renamed, archive };
}

const about = (value: Facts): ReadonlyMap<string, Facts> => new Map([["uploads", value]]);

test("captureUploads() archives every file, proveUploads() reads all of it, extractUploads() brings it back", async () => {
  const { root, folder, ctx, stage, archive, warnings } = await lab();
  const captured = await captureUploads(ctx, folder, stage);
  const kept = about(captured.about);
  expect(captured.facts).toEqual({ files: 4, sizeBytes: 700_014 });
  expect(await proveUploads(await archive(), { about: kept })).toEqual({ uploads: captured.facts });
  expect(await proveUploads(await archive(), {})).toEqual({ uploads: captured.facts });
  const into = join(root, "into");
  await extractUploads(await archive(), into, { disk: testDisk(), about: kept, signal: ctx.signal });
  expect(await readTree(into)).toEqual(files);
  expect(unpackedBytes(await archive(), kept)).toBeGreaterThan(700_000);
  expect(warnings).toEqual([]);
});

test("captureUploads() gives the same checksum for the same files, whenever they were touched, and another one for others", async () => {
  const { folder, ctx, stage } = await lab();
  const checksum = async () => (await captureUploads(ctx, folder, stage)).checksum;
  const first = await checksum();
  await utimes(join(folder, "4_empty"), 1, 1);
  expect(await checksum()).toBe(first);
  await writeFile(join(folder, "1_manual.txt"), "turn it ON");
  expect(await checksum()).not.toBe(first);
});

test("captureUploads() begins anew when somebody uploads meanwhile, and gives up when that goes on", async () => {
  const { folder, ctx, stage } = await lab();
  let writes = 0;
  const busy = (most: number): typeof stage => ({
    ...stage,
    write: async (kind, bytes) => {
      const written = await stage.write(kind, bytes);
      if (writes < most) await writeFile(join(folder, `new ${writes++}`), "more");
      return written;
    },
  });
  expect((await captureUploads(ctx, folder, busy(1))).facts.files).toBe(5);
  await expect(captureUploads(ctx, folder, busy(10))).rejects.toMatchObject({ code: "source_changing" });
  expect(writes).toBe(4);
});

test("captureUploads() follows no link, and says so", async () => {
  const { root, folder, ctx, stage, warnings } = await lab();
  await writeFile(join(root, "secret"), "a key");
  await symlink(join(root, "secret"), join(folder, "5_link"));
  expect((await captureUploads(ctx, folder, stage)).facts.files).toBe(4);
  expect(warnings).toEqual([expect.stringContaining("5_link")]);
});

test("proveUploads() finds damage, a lie about the size, and an archive that leads elsewhere or grows without end", async () => {
  const { root, folder, ctx, stage, archive } = await lab();
  const captured = await captureUploads(ctx, folder, stage);
  const prove = async (kept?: Facts) => proveUploads(await archive(), kept ? { about: about(kept) } : {});
  await expect(prove({ ...captured.about, contentBytes: 5 })).rejects.toMatchObject({ code: "backup_damaged" });
  await expect(prove({ ...captured.about, tarBytes: 1000 })).rejects.toMatchObject({ code: "backup_hostile" });
  await expect(prove({ ...captured.about, entries: 2 })).rejects.toMatchObject({ code: "backup_hostile" });
  // What is no account of it at all counts for nothing.
  expect(await prove({ blocks: "lies" })).toEqual({ uploads: captured.facts });
  const bytes = await readFile(join(root, "uploads.staged"));
  await overwrite(join(root, "uploads.staged"), bytes.length >> 1, Buffer.from([bytes[bytes.length >> 1]! ^ 0xff]));
  await expect(prove()).rejects.toMatchObject({ code: "backup_damaged" });

  const write = async (entries: TarSource[], change: (tar: Buffer) => void) => {
    const chunks: Buffer[] = [];
    for await (const chunk of tarOf(entries)) chunks.push(Buffer.from(chunk));
    const tar = Buffer.concat(chunks);
    change(tar);
    await writeFile(join(root, "uploads.staged"), gzipSync(tar));
  };
  const entry: TarSource = { path: "..x/evil", type: "folder", sizeBytes: 0, mtimeMs: 0, mode: 0o755 };
  // A link instead of a folder; the header's sum is mended.
  await write([entry], (tar) => {
    tar[156] = "2".charCodeAt(0);
    tar.fill(" ", 148, 156);
    const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    tar.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  });
  await expect(prove()).rejects.toMatchObject({ code: "backup_hostile" });
});

test("extractUploads() writes no more than the archive's account says", async () => {
  const { root, ctx, stage, archive } = await lab({});
  async function* bomb() {
    for (let n = 0; n < 64; n++) yield Buffer.alloc(1 << 20);
  }
  const entries: TarSource[] = [
    { path: "bomb", type: "file", sizeBytes: 64 << 20, mtimeMs: 0, mode: 0o644, open: bomb },
  ];
  await stage.write("uploads", gzipBlocks(tarOf(entries)));
  const into = join(root, "into");
  const kept = about({ contentBytes: 10, tarBytes: 2048, entries: 1, blocks: [100] });
  const extracting = extractUploads(await archive(), into, { disk: testDisk(), about: kept, signal: ctx.signal });
  await expect(extracting).rejects.toMatchObject({ code: expect.stringMatching(/backup_(hostile|damaged)/) });
  expect(Object.values(await readTree(into)).join("").length).toBeLessThan(4096);
});
