import { z } from "zod";
import type { Facts } from "../../shared/app.ts";
import { chunksOfBlocks, gunzipBlocks } from "../../shared/archive/gzip.ts";
import { readTar, type TarEntry } from "../../shared/archive/tar-read.ts";
import { Failure } from "../../shared/failures.ts";
import type { FileWorker } from "../../shared/file-worker.ts";
import type { ReadBack } from "../../shared/nas/read-back.ts";
import type { FolderCheck } from "./members.ts";

/** What a manifest keeps of an archive of ours. */
const ArchiveAbout = z.object({
  /** The compressed size of each block of the gzip stream. */
  blocks: z.array(z.number().int().positive()),
  /** Of all files in it. */
  unpackedBytes: z.number().int().nonnegative(),
});
export type ArchiveAbout = z.infer<typeof ArchiveAbout>;

/** Undefined for the incumbent's, and for what is not as it was written: then the file is read without. */
export const archiveAbout = (about: Facts | undefined): ArchiveAbout | undefined => ArchiveAbout.safeParse(about).data;

/** Height maps of flat land become a hundredth; a bomb a thousandth. */
const maxExpansion = 200;
const smallBytes = 1 << 30;
const maxEntries = 2_000_000;

/** An archive with one folder in it. */
export interface Archive {
  readonly file: ReadBack;
  readonly about: ArchiveAbout | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Hashes the file, and gets what it holds in memory of its own. */
  readonly worker?: FileWorker | undefined;
}

/**
 * The entries of the one folder that is in the archive, their paths beginning with its name.
 * @param onRoot Told the name of the folder, before the first entry.
 * @throws {Failure} `backup_damaged`, `backup_hostile`.
 */
export async function* readArchive(archive: Archive, onRoot: (root: string) => void): AsyncGenerator<TarEntry> {
  const { file, about, signal, worker } = archive;
  const limits = { maxBytes: smallBytes + maxExpansion * file.sizeBytes, name: file.path, ...(signal && { signal }) };
  const inflated = gunzipBlocks(
    file.stream({ hasher: worker?.hasher(), chunks: about && chunksOfBlocks(about.blocks) }),
    {
      ...limits,
      ...(about && { blocks: about.blocks }),
      memory: worker?.blocks,
    },
  );
  let root: string | undefined;
  for await (const entry of readTar(inflated, { ...limits, maxEntries })) {
    const [first = ""] = entry.path.split("/", 1);
    if (root === undefined) {
      if (first.startsWith(".")) throw hostileRoot(file, `a plain name is wanted for its folder, is "${first}"`);
      root = first;
      onRoot(root);
    }
    if (first !== root)
      throw hostileRoot(file, `one folder with everything in it is wanted, are "${root}" and "${first}"`);
    if (entry.path === root && entry.type === "file")
      throw hostileRoot(file, `a folder is wanted, "${root}" is a file`);
    yield entry;
  }
  if (root === undefined) {
    throw new Failure("backup_damaged", `Cannot vouch for "${file.path}": a folder is wanted in it, it is empty`);
  }
}

/**
 * Proves all of an archive.
 * @returns The name of the folder in it.
 * @throws {Failure} `backup_damaged`, naming the file and why, `backup_hostile`.
 */
export async function proveArchive(archive: Archive, check: FolderCheck): Promise<string> {
  let root = "";
  const entries = readArchive(archive, (name) => {
    root = name;
  });
  const damaged = (why: string) =>
    new Failure("backup_damaged", `Cannot vouch for "${archive.file.path}": ${why}`, {
      hint: "Look at that file in the game's folder. A region file that is moved away is begun anew by the game, and what was built there is lost.",
    });
  for await (const { path, type, sizeBytes, bytes } of entries) {
    const look = type === "file" ? check.open(path.slice(root.length + 1), sizeBytes) : undefined;
    if (!look) continue;
    for await (const piece of bytes) look.update(piece);
    const why = look.end();
    if (why !== undefined) throw damaged(`${path}: ${why}`);
  }
  const missing = check.missing();
  if (missing !== undefined) throw damaged(`${root}: ${missing}`);
  return root;
}

function hostileRoot(file: ReadBack, why: string): Failure {
  return new Failure("backup_hostile", `Cannot accept "${file.path}": ${why}`, {
    hint: "Nothing of it is unpacked. Keepsake writes no such archive: look at where it comes from.",
  });
}
