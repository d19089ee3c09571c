import { hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { RunContext } from "../../shared/app.ts";
import type { Disk } from "../../shared/disk.ts";
import { Failure } from "../../shared/failures.ts";
import type { SmallFile } from "../../shared/files-now.ts";
import type { MirrorTree } from "../../shared/mirror-app.ts";
import { sha256Of } from "../../shared/nas/publish.ts";
import type { Settings } from "./app.ts";
import { type EmptyTiles, lookForDamage } from "./complete.ts";
import { pageBytes, parsePage } from "./index-html.ts";
import { isKnownTree, mapFiles, type WantedFile } from "./map-files.ts";
import { openRender, pageName } from "./render-folder.ts";

type Context = RunContext<Settings>;

/** Files up to this size are held in memory, several at a time. */
const smallBytes = 1 << 20;
const batchBytes = 8 << 20;
const batchFiles = 64;

/**
 * Copies the published map into an empty folder, as a renderer leaves one: every file compared with what is known of
 * it, on the way and where it arrived, and the whole proven there.
 * @throws {Failure} `backup_damaged`, `backup_hostile`, `restore_failed`.
 */
export async function copyMap(
  ctx: Context,
  disk: Disk,
  tree: MirrorTree,
  into: string,
  emptyTiles: EmptyTiles,
): Promise<void> {
  const page = await pageBytes(join(tree.root, pageName), "backup_damaged");
  const known = isKnownTree(tree, page);
  if (tree.files.length > 0 && !known) {
    ctx.warn(`"${join(tree.root, pageName)}" is not the one that is known: every tile is looked at instead`);
  }
  const options = { known, emptyTiles, signal: ctx.signal };
  const made = new Set([into]);
  let doneBytes = 0;
  for await (const batch of batches(mapFiles(tree, options))) {
    ctx.signal.throwIfAborted();
    for (const { path } of batch) {
      const folder = dirname(join(into, path));
      if (!made.has(folder)) await disk.makeDir(folder);
      made.add(folder);
    }
    await copyBatch(ctx, disk, batch, into);
    doneBytes += batch.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    ctx.progress("copying", doneBytes);
  }
  const placed = parsePage(page, join(tree.root, pageName), "backup_damaged").at("");
  await disk.write(join(into, pageName), placed, { sync: false });
  await disk.syncFileSystem(into);
  if (known) await compareArrived(ctx, mapFiles(tree, options), into);
  await prove(ctx, into, emptyTiles);
}

async function copyBatch(ctx: Context, disk: Disk, batch: readonly WantedFile[], into: string): Promise<void> {
  const small: SmallFile[] = await Promise.all(
    batch
      .filter(({ sizeBytes }) => sizeBytes <= smallBytes)
      .map(async (file) => {
        const bytes = await readFile(file.from);
        expectSame(file, bytes.length, hash("sha256", bytes));
        return { path: join(into, file.path), bytes };
      }),
  );
  await disk.writeMany(small);
  for (const file of batch.filter(({ sizeBytes }) => sizeBytes > smallBytes)) {
    const content = createReadStream(file.from, { highWaterMark: 1 << 19 });
    const written = await disk.write(join(into, file.path), content, { sync: false, signal: ctx.signal });
    expectSame(file, written.sizeBytes, written.sha256);
  }
}

function expectSame({ from, sizeBytes, sha256 }: WantedFile, actualBytes: number, actual: string): void {
  if (actualBytes === sizeBytes && (sha256 === undefined || actual === sha256)) return;
  throw new Failure(
    "backup_damaged",
    `Cannot restore "${from}": sha256 ${sha256 ?? "as it was"} is wanted, is ${actual}`,
    {
      hint: "Nothing was replaced. A backup of the present map mends the NAS.",
    },
  );
}

/** Reads what has arrived, past the cache where the system allows it. */
async function compareArrived(ctx: Context, files: AsyncIterable<WantedFile>, into: string): Promise<void> {
  let doneBytes = 0;
  for await (const batch of batches(files)) {
    await Promise.all(
      batch.map(async ({ path, sha256 }) => {
        const actual = await sha256Of(join(into, path), ctx.signal);
        if (actual === sha256) return;
        throw new Failure(
          "restore_failed",
          `Cannot restore "${join(into, path)}": sha256 ${sha256} was sent, ${actual} arrived`,
          { hint: "This disk or its memory damages data. Nothing was replaced." },
        );
      }),
    );
    doneBytes += batch.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    ctx.progress("verifying", doneBytes);
  }
}

async function prove(ctx: Context, folder: string, emptyTiles: EmptyTiles): Promise<void> {
  const { damage } = await lookForDamage(await openRender(folder, "backup_damaged"), {
    emptyTiles,
    signal: ctx.signal,
  });
  if (!damage) return;
  throw new Failure("backup_damaged", `Cannot restore "${damage.file}": ${damage.why}`, {
    hint: "Nothing was replaced. A backup of the present map mends the NAS.",
  });
}

/** As many files at once as are worth it, and no more bytes than memory has room for. */
async function* batches(files: AsyncIterable<WantedFile>): AsyncGenerator<WantedFile[]> {
  let batch: WantedFile[] = [];
  let bytes = 0;
  for await (const file of files) {
    batch.push(file);
    bytes += Math.min(file.sizeBytes, smallBytes);
    if (batch.length < batchFiles && bytes < batchBytes) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}
