import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { type Disk, ignore, type Written } from "../disk.ts";
import { Failure } from "../failures.ts";
import { lstat, stat } from "../files.ts";
import type { MirrorFile } from "../mirror-app.ts";
import type { Manifest } from "../nas/points.ts";
import { sha256Of } from "../nas/publish.ts";
import { openReadBack, type ReadBack } from "../nas/read-back.ts";
import { contentOf } from "../source/chunks.ts";
import type { MirrorRun } from "./app-run.ts";

type Entry = Manifest["files"][number];

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
  const { written, arrived } = await writeProven(ctx.disk, staged, contentOf(from), {
    signal: ctx.signal,
    onBytes: (done) => ctx.progress("copying", done),
  });
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

/** Writes a file and reads it back, each part as soon as it is on the disk, so that this takes hardly any time more. */
async function writeProven(
  disk: Disk,
  path: string,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: { signal: AbortSignal; onBytes: (doneBytes: number) => void },
): Promise<{ written: Written; arrived: string }> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafeSlow(1 << 19);
  let back: ReadBack | undefined;
  const onSynced = async (fromByte: number, toByte: number) => {
    back ??= await openReadBack(path, { signal: options.signal });
    for (let at = fromByte; at < toByte; ) {
      options.signal.throwIfAborted();
      const chunk = await back.fill(buffer.subarray(0, Math.min(buffer.length, toByte - at)), at);
      hash.update(chunk);
      at += chunk.length;
    }
  };
  try {
    const written = await disk.write(path, content, { ...options, onSynced });
    return { written, arrived: hash.digest("hex") };
  } finally {
    await back?.close();
  }
}

async function hashOf(content: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of content) hash.update(chunk);
  return hash.digest("hex");
}
