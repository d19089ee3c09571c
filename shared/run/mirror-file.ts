import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Failure } from "../failures.ts";
import type { MirrorFile } from "../mirror-app.ts";
import type { Manifest } from "../nas/points.ts";
import { sha256Of } from "../nas/publish.ts";
import type { MirrorRun } from "./app-run.ts";

/**
 * Copies a file to the NAS: hashed on the way, read back, and only then given its name.
 * @param before What stands there, when it stands as it was left.
 * @returns undefined when its content is not what its name says; the run goes on without it.
 * @throws {Failure} `source_changing`, `nas_write_failed`.
 */
export async function placeFile(
  { ctx, folders }: MirrorRun,
  { path, from, sizeBytes, sha256 }: MirrorFile,
  root: string,
  before: Manifest["files"][number] | undefined,
): Promise<Manifest["files"][number] | undefined> {
  const staged = join(folders.incoming, "file");
  const { signal } = ctx;
  const content = () => (typeof from === "string" ? createReadStream(from, { highWaterMark: 1 << 19 }) : [from]);
  if (sha256 === undefined && before?.sizeBytes === sizeBytes && (await hashOf(content())) === before.sha256)
    return before;
  await ctx.disk.makeDir(folders.incoming);
  await ctx.disk.remove(staged);
  const written = await ctx.disk.write(staged, content(), {
    signal,
    onBytes: (done) => ctx.progress(`copying ${path}`, done, sizeBytes),
  });
  if (written.sizeBytes !== sizeBytes) {
    throw new Failure(
      "source_changing",
      `Cannot copy "${from}": ${sizeBytes} bytes are wanted, were ${written.sizeBytes}`,
      {
        hint: "Something writes to it. The next run tries again.",
      },
    );
  }
  if (sha256 !== undefined && written.sha256 !== sha256) {
    await ctx.disk.remove(staged);
    ctx.warn(`"${from}" is damaged and is left out: its content has the sha256 ${written.sha256}`);
    return undefined;
  }
  const actual = await sha256Of(staged, signal);
  if (actual !== written.sha256) {
    throw new Failure(
      "nas_write_failed",
      `Cannot write "${staged}": sha256 ${written.sha256} was sent, ${actual} was read back`,
      {
        hint: "The NAS, its disks or the network damage data. Nothing was published.",
      },
    );
  }
  const target = join(root, path);
  await ctx.disk.makeDir(dirname(target));
  if (typeof from === "string") await ctx.disk.setTimes(staged, Number((await stat(from)).mtimeMs));
  await ctx.disk.rename(staged, target);
  return { kind: "file", name: path, ...written, checksum: written.sha256 };
}

async function hashOf(content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of content) hash.update(chunk);
  return hash.digest("hex");
}
