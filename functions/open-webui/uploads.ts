import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Facts, RunContext, Stage, VerifyOptions } from "../../shared/app.ts";
import { extractTar } from "../../shared/archive/extract.ts";
import { gunzipBlocks, gzipBlocks } from "../../shared/archive/gzip.ts";
import { readTar, type TarEntry } from "../../shared/archive/tar-read.ts";
import { type TarSource, tarOf } from "../../shared/archive/tar-write.ts";
import type { Disk } from "../../shared/disk.ts";
import { Failure } from "../../shared/failures.ts";
import { fileWorkerFor } from "../../shared/file-worker.ts";
import { openReadBack, type ReadBack } from "../../shared/nas/read-back.ts";
import { treeFingerprint } from "../../shared/source/tree-fingerprint.ts";
import { walkFiles } from "../../shared/source/walk.ts";

/** What is kept of an archive beside it, to read it again. It may lie: it is a bound, and compared with what is there. */
export const About = z.object({
  /** Unpacked: of the files, and of the tar archive. */
  contentBytes: z.number().int().min(0),
  tarBytes: z.number().int().min(0),
  entries: z.number().int().min(0),
  /** Compressed, each (`gzipBlocks`). */
  blocks: z.array(z.number().int().min(1)),
});
export type About = z.infer<typeof About>;

/** No gzip stream inflates to more than this times its size. */
const largestRatio = 1032;
const mostEntries = 1_000_000;
const attempts = 3;

export interface CapturedUploads {
  readonly checksum: string;
  readonly about: About;
  readonly facts: { readonly files: number; readonly sizeBytes: number };
}

/** Archives all files of the folder. Once more when one of them changed meanwhile: somebody is uploading. */
export async function captureUploads(ctx: RunContext, folder: string, stage: Stage): Promise<CapturedUploads> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await archive(ctx, folder, stage);
    } catch (error) {
      if (attempt === attempts || !(error instanceof Failure) || error.code !== "source_changing") throw error;
      ctx.log.info({ attempt, folder }, "uploads changed while they were archived");
    }
  }
}

async function archive(ctx: RunContext, folder: string, stage: Stage): Promise<CapturedUploads> {
  const before = await treeFingerprint(folder, { signal: ctx.signal });
  const checksum = createHash("sha256");
  const blocks: number[] = [];
  let [files, entries, contentBytes, tarBytes] = [0, 0, 0, 0];
  async function* sources(): AsyncGenerator<TarSource> {
    for await (const { path, kind, sizeBytes, mtimeMs, stat } of walkFiles(folder, {
      folders: true,
      signal: ctx.signal,
    })) {
      if (kind === "link" || kind === "other") {
        ctx.warn(`"${join(folder, path)}" is no file, so it is not kept`);
        continue;
      }
      entries += 1;
      const mode = stat.mode & 0o777;
      if (kind === "folder") {
        yield { path, type: "folder", sizeBytes: 0, mtimeMs, mode };
        continue;
      }
      files += 1;
      contentBytes += sizeBytes;
      const content = createHash("sha256");
      const open = () => hashed(readFileAt(join(folder, path), sizeBytes, ctx.signal), content);
      yield { path, type: "file", sizeBytes, mtimeMs, mode, open };
      // JSON quotes whatever a path may hold, so no two sets of files write the same line.
      checksum.update(`${JSON.stringify([path, sizeBytes, content.digest("hex")])}\n`);
    }
  }
  const tar = counted(tarOf(sources(), { signal: ctx.signal }), (bytes) => {
    tarBytes += bytes;
  });
  await stage.write("uploads", gzipBlocks(tar, { signal: ctx.signal, onBlock: (bytes) => void blocks.push(bytes) }));
  const after = await treeFingerprint(folder, { signal: ctx.signal });
  if (after.fingerprint !== before.fingerprint) {
    throw new Failure(
      "source_changing",
      `Cannot archive "${folder}": files that stay as they are are wanted, some changed`,
      {
        hint: "Somebody is uploading. The next run tries again.",
      },
    );
  }
  return {
    checksum: checksum.digest("hex"),
    about: { contentBytes, tarBytes, entries, blocks },
    facts: { files, sizeBytes: contentBytes },
  };
}

async function* readFileAt(path: string, sizeBytes: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  if (sizeBytes === 0) return;
  const file = await openReadBack(path, { signal }).catch((cause) => {
    const gone = cause.code === "ENOENT";
    throw new Failure(gone ? "source_changing" : "source_unreachable", `Cannot read "${path}": ${cause.message}`, {
      cause,
    });
  });
  try {
    yield* file.stream();
  } finally {
    await file.close();
  }
}

async function* hashed(bytes: AsyncIterable<Buffer>, hash: ReturnType<typeof createHash>): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    hash.update(chunk);
    yield chunk;
  }
}

async function* counted(bytes: AsyncIterable<Buffer>, count: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    count(chunk.length);
    yield chunk;
  }
}

/**
 * Proves an archive of uploads: every byte inflated, every name one that can be put back.
 * @throws {Failure} `backup_damaged`, `backup_hostile`.
 */
export async function proveUploads(file: ReadBack, options: Pick<VerifyOptions, "signal" | "about">): Promise<Facts> {
  const about = aboutOf(options.about);
  let [files, contentBytes] = [0, 0];
  for await (const entry of entriesOf(file, about, options.signal)) {
    if (entry.type !== "file") continue;
    files += 1;
    contentBytes += entry.sizeBytes;
  }
  if (about && about.contentBytes !== contentBytes) {
    throw new Failure(
      "backup_damaged",
      `Cannot vouch for "${file.path}": ${about.contentBytes} bytes of uploads are wanted, are ${contentBytes}`,
    );
  }
  return { uploads: { files, sizeBytes: contentBytes } };
}

/** Unpacks an archive into a folder that is new. @throws {Failure} `backup_damaged`, `backup_hostile`. */
export async function extractUploads(
  file: ReadBack,
  into: string,
  options: { disk: Disk; about: ReadonlyMap<string, Facts> | undefined; signal: AbortSignal },
): Promise<void> {
  const entries = entriesOf(file, aboutOf(options.about), options.signal);
  const worker = await fileWorkerFor(dirname(into), file.sizeBytes);
  try {
    await extractTar(entries, into, { disk: options.disk, worker, name: file.path, signal: options.signal });
  } finally {
    await worker?.end();
  }
}

/** How much room the unpacked uploads take, at most. */
export function unpackedBytes(file: ReadBack, about: ReadonlyMap<string, Facts> | undefined): number {
  return aboutOf(about)?.tarBytes ?? file.sizeBytes;
}

function aboutOf(about: ReadonlyMap<string, Facts> | undefined): About | undefined {
  const parsed = About.safeParse(about?.get("uploads"));
  return parsed.success ? parsed.data : undefined;
}

function entriesOf(file: ReadBack, about: About | undefined, signal?: AbortSignal): AsyncGenerator<TarEntry> {
  const name = file.path;
  const bound = Math.min(about?.tarBytes ?? Number.POSITIVE_INFINITY, file.sizeBytes * largestRatio);
  const common = { name, maxBytes: bound, ...(signal && { signal }) };
  const tar = gunzipBlocks(file.stream(), { ...common, ...(about && { blocks: about.blocks }) });
  return readTar(tar, { ...common, maxEntries: Math.min(about?.entries ?? mostEntries, mostEntries) });
}
