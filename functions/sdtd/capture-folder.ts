import { createHash, type Hash, hash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { Facts, RunContext, Stage } from "../../shared/app.ts";
import { gzipBlocks } from "../../shared/archive/gzip.ts";
import { tarSources } from "../../shared/archive/tar-sources.ts";
import { type TarSource, tarOf } from "../../shared/archive/tar-write.ts";
import { Failure } from "../../shared/failures.ts";
import { type ContentEntry, Contents } from "../../shared/source/checksum.ts";
import { walkFiles } from "../../shared/source/walk.ts";
import type { ArchiveAbout } from "./archive.ts";
import { Frozen } from "./frozen.ts";
import { type Listing, listSettled, movedSince } from "./listing.ts";
import { isTransient } from "./members.ts";

const attempts = 6;

export interface FolderCapture {
  /** When everything was as it is in the archive. */
  readonly takenAtMs: number;
  readonly checksum: string;
  readonly fingerprint: string;
  readonly about: ArchiveAbout & Facts;
}

export interface CaptureOptions {
  /** The folder, and its name in the archive. */
  readonly folder: string;
  readonly root: string;
  /** Which files count for the checksum and the fingerprint. */
  readonly counts: (path: string) => boolean;
}

/**
 * Writes a folder as a tar.gz with the folder as its one root, of one moment: a game goes on writing while it is
 * copied. What was written meanwhile is copied again, first to a folder of this machine, which takes so little time
 * that the game does nothing in between; everything else is read from where it is.
 * @throws {Failure} `source_changing` when something else was written in every try.
 */
export async function captureFolder(
  ctx: RunContext,
  stage: Stage,
  kind: string,
  options: CaptureOptions,
): Promise<FolderCapture> {
  const { folder, counts } = options;
  const look = { counts, signal: ctx.signal };
  const frozen = new Frozen(ctx, folder, kind, look);
  let moved: string[] = [];
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const takenAtMs = ctx.now();
    const listing = await frozen.hold(await listSettled(folder, look), moved);
    const content = new Contents();
    const blocks: number[] = [];
    const sources = sourcesOf(options, listing, frozen, ctx.signal);
    const entries = hashed(sources, options, (entry) => content.add(entry));
    const onBlock = (sizeBytes: number) => void blocks.push(sizeBytes);
    const whole = await stage
      .write(kind, gzipBlocks(tarOf(entries, { signal: ctx.signal }), { onBlock, signal: ctx.signal }))
      .catch(ifChanging);
    const since = await movedSince(folder, listing, look).catch(ifChanging);
    moved = frozen.without(since ?? []);
    if (whole && since && moved.length === 0) {
      const { fingerprint, sizeBytes: unpackedBytes } = listing;
      return { takenAtMs, checksum: content.checksum(), fingerprint, about: { blocks, unpackedBytes } };
    }
    ctx.log.info({ attempt, moved: moved.slice(0, 5), count: moved.length }, "files moved while they were copied");
  }
  throw new Failure(
    "source_changing",
    `Cannot copy "${folder}": a moment without a write is wanted, "${moved[0] ?? "a file"}" and others kept changing`,
    { hint: "Something writes there all the time. The next run tries again." },
  );
}

/** Files as they are found now: what is no longer as it was listed shows in the listing afterwards. */
async function* sourcesOf(
  { folder, root }: CaptureOptions,
  listing: Listing,
  frozen: Frozen,
  signal: AbortSignal,
): AsyncGenerator<TarSource> {
  yield { path: root, type: "folder", sizeBytes: 0, mtimeMs: listing.newestMs, mode: 0o755 };
  const skip = (path: string) => isTransient(path) || frozen.has(path);
  yield* tarSources(folder, walkFiles(folder, { folders: true, skip, signal }), (path) => `${root}/${path}`);
  for (const { path, copy, ...file } of frozen.copies) {
    yield { path: `${root}/${path}`, type: "file", ...file, open: () => createReadStream(copy) };
  }
}

/** Tells the content of each file that counts, once it was read. */
async function* hashed(
  sources: AsyncIterable<TarSource>,
  { root, counts }: CaptureOptions,
  tell: (entry: ContentEntry) => void,
): AsyncGenerator<TarSource> {
  for await (const source of sources) {
    const path = source.path.slice(root.length + 1);
    if (source.type === "folder" || !counts(path)) yield source;
    else yield { ...source, open: () => read(source, path) };
  }

  async function* read({ sizeBytes, open }: TarSource, path: string): AsyncGenerator<Uint8Array> {
    // Most files come in one piece, for which there is a quicker way.
    let [sum, sha256] = [undefined as Hash | undefined, ""];
    for await (const piece of open?.() ?? []) {
      if (!sum && piece.byteLength === sizeBytes) sha256 = hash("sha256", piece);
      else sum = (sum ?? createHash("sha256")).update(piece);
      yield piece;
    }
    tell({ path, sizeBytes, sha256: sum?.digest("hex") ?? (sha256 || hash("sha256", "")) });
  }
}

function ifChanging(error: unknown): undefined {
  if (error instanceof Failure && error.code === "source_changing") return undefined;
  throw error;
}
