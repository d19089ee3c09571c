import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { type Disk, ignore, type Written } from "../disk.ts";
import { Failure } from "../failures.ts";
import { lstat, stat } from "../files.ts";
import type { MirrorFile } from "../mirror-app.ts";
import type { Manifest } from "../nas/points.ts";
import { sha256Of } from "../nas/publish.ts";
import { type Hasher, openReadBack, type ReadBack } from "../nas/read-back.ts";
import { contentOf } from "../source/chunks.ts";
import type { MirrorRun } from "./app-run.ts";

type Entry = Manifest["files"][number];

/** So large that waiting for each costs nothing; of a small file less, but never little: a file may have grown. */
const [leastBackBytes, mostBackBytes] = [64 << 10, 2 << 20];

/**
 * Copies a file to the NAS: hashed on the way, read back, and only then given its name. What has the name already, of
 * the incumbent or of a run that was killed, is read and taken over when it is the same.
 * @param before What stands there, when it stands as it was left.
 * @returns undefined when its content is not what its name says; the run goes on without it.
 * @throws {Failure} `source_changing`, `nas_write_failed`.
 */
export async function placeFile(
  { ctx, folders }: MirrorRun,
  { path, from, sizeBytes, sha256 }: MirrorFile,
  root: string,
  before: Entry | undefined,
): Promise<Entry | undefined> {
  const target = join(root, path);
  const isThere = async (wanted: string): Promise<Entry | undefined> => {
    const found = await lstat(target).catch(ignore("ENOENT", "ENOTDIR"));
    if (!found?.isFile() || found.size !== sizeBytes) return undefined;
    ctx.progress("reading what is on the NAS");
    if ((await sha256Of(target, ctx.signal)) !== wanted) return undefined;
    return { kind: "file", name: path, sizeBytes, sha256: wanted, checksum: wanted };
  };
  if (sha256 !== undefined && !before) {
    const entry = await isThere(sha256);
    if (entry) return entry;
  }
  if (sha256 === undefined && before?.sizeBytes === sizeBytes && (await hashOf(contentOf(from))) === before.sha256) {
    return before;
  }
  const staged = join(folders.incoming, "file");
  await ctx.disk.makeDir(folders.incoming);
  await ctx.disk.remove(staged);
  const { written, arrived } = await writeProven(
    ctx.disk,
    staged,
    { content: contentOf(from), sizeBytes },
    { signal: ctx.signal, onBytes: (done) => ctx.progress("copying", done) },
  );
  if (written.sizeBytes !== sizeBytes) {
    throw new Failure(
      "source_changing",
      `Cannot copy "${from}": ${sizeBytes} bytes are wanted, were ${written.sizeBytes}`,
      { hint: "Something writes to it. The next run tries again." },
    );
  }
  if (sha256 !== undefined && written.sha256 !== sha256) {
    await ctx.disk.remove(staged);
    ctx.warn(`"${from}" is damaged and is left out: its content has the sha256 ${written.sha256}`);
    return undefined;
  }
  if (arrived !== written.sha256) {
    throw new Failure(
      "nas_write_failed",
      `Cannot write "${staged}": sha256 ${written.sha256} was sent, ${arrived} was read back`,
      { hint: "The NAS, its disks or the network damage data. Nothing was published." },
    );
  }
  await ctx.disk.makeDir(dirname(target));
  if (typeof from === "string") await ctx.disk.setTimes(staged, Number((await stat(from)).mtimeMs));
  await ctx.disk.rename(staged, target);
  return { kind: "file", name: path, ...written, checksum: written.sha256 };
}

/** From here on a second thread gains more than it takes to start. */
const worthBytes = 64 << 20;
/** What is read back lies in these until it is hashed. */
const ringSize = 3;

/**
 * Writes a file and reads it back, each part as soon as it is on the disk, so that this takes hardly any time more.
 * What comes back of a large one is hashed on another thread.
 */
async function writeProven(
  disk: Disk,
  path: string,
  { content, sizeBytes }: { content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>; sizeBytes: number },
  options: { signal: AbortSignal; onBytes: (doneBytes: number) => void },
): Promise<{ written: Written; arrived: string }> {
  // Loaded here: other runs need no threads.
  const worker = sizeBytes < worthBytes ? undefined : (await import("../file-worker.ts")).threadFor(sizeBytes);
  const hasher = worker?.hasher() ?? hasherHere();
  const ring = Array.from({ length: ringSize }, () => ({
    memory: hasher.memory(Math.min(mostBackBytes, Math.max(sizeBytes, leastBackBytes))),
    hashed: Promise.resolve(),
  }));
  let turn = 0;
  let back: ReadBack | undefined;
  const onSynced = async (fromByte: number, toByte: number) => {
    back ??= await openReadBack(path, { signal: options.signal });
    for (let at = fromByte; at < toByte; turn += 1) {
      options.signal.throwIfAborted();
      const slot = ring[turn % ringSize] as (typeof ring)[number];
      await slot.hashed;
      const chunk = await back.fill(slot.memory.subarray(0, Math.min(slot.memory.length, toByte - at)), at);
      slot.hashed = hasher.update(chunk);
      slot.hashed.catch(() => {});
      at += chunk.length;
    }
  };
  try {
    const written = await disk.write(path, content, { ...options, onSynced });
    for (const { hashed } of ring) await hashed;
    return { written, arrived: await hasher.digest() };
  } finally {
    await back?.close();
    await worker?.end();
  }
}

function hasherHere(): Hasher {
  const hash = createHash("sha256");
  return {
    memory: Buffer.allocUnsafeSlow,
    update: async (bytes) => void hash.update(bytes),
    digest: async () => hash.digest("hex"),
  };
}

async function hashOf(content: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of content) hash.update(chunk);
  return hash.digest("hex");
}
