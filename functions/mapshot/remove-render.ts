import { lstat, opendir, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { RunContext } from "../../shared/app.ts";
import { ignore } from "../../shared/disk.ts";
import { infoName } from "./render-folder.ts";

type Context = Pick<RunContext, "disk" | "step" | "signal" | "progress">;

/** Of Mapshot 0.0.14 and later; before there was one surface, and no number of it. */
const isLayerName = (name: string) => /^(s\d+)?zoom_\d+$/.test(name);
const isTileName = (name: string) => /^tile_-?\d+_-?\d+\.jpg$/.test(name);

const batchFiles = 1000;

/**
 * Removes a render that nothing refers to: mapshot.json first, without which nobody takes it for a render any more,
 * then its tiles, so many in one step. What is no part of a render stays, and the folders that hold it. Stopped
 * anywhere, the next call goes on; memory holds the names of one step.
 */
export async function removeRender(ctx: Context, path: string): Promise<void> {
  await ctx.disk.remove(join(path, infoName));
  for (const layer of await layersIn(path)) {
    const folder = join(path, layer);
    let removed: number;
    do {
      removed = 0;
      for await (const names of batches(folder)) {
        ctx.signal.throwIfAborted();
        ctx.progress("removing what nothing refers to");
        await ctx.step(`remove ${names.length} tiles in ${folder}`, () => removeAll(folder, names));
        removed += names.length;
      }
      // A folder that is read while names go from it may have left some out.
    } while (removed > 0);
    await ctx.disk.removeEmptyDir(folder);
  }
  await ctx.disk.removeEmptyDir(path);
}

/** Whether `removeRender` has anything to do there. */
export async function hasRenderFiles(path: string): Promise<boolean> {
  if (await lstat(join(path, infoName)).catch(ignore("ENOENT", "ENOTDIR"))) return true;
  for (const layer of await layersIn(path)) {
    for await (const _ of batches(join(path, layer))) return true;
    if (await isEmpty(join(path, layer))) return true;
  }
  return isEmpty(path);
}

async function layersIn(path: string): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of await opendir(path))
    if (entry.isDirectory() && isLayerName(entry.name)) names.push(entry.name);
  return names.sort();
}

async function* batches(folder: string): AsyncGenerator<string[]> {
  let names: string[] = [];
  for await (const entry of await opendir(folder)) {
    if (entry.isDirectory() || !isTileName(entry.name)) continue;
    names.push(entry.name);
    if (names.length < batchFiles) continue;
    yield names;
    names = [];
  }
  if (names.length > 0) yield names;
}

/** A few at a time: a network file system answers each call late. */
async function removeAll(folder: string, names: readonly string[]): Promise<void> {
  const waiting = names.values();
  const remove = async () => {
    for (const name of waiting) await unlink(join(folder, name)).catch(ignore("ENOENT"));
  };
  await Promise.all(Array.from({ length: 8 }, remove));
}

async function isEmpty(folder: string): Promise<boolean> {
  for await (const _ of await opendir(folder)) return false;
  return true;
}
