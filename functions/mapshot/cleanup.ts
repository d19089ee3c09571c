import { join } from "node:path";
import type { RunContext } from "../../shared/app.ts";
import { ignore } from "../../shared/disk.ts";
import { toFailure } from "../../shared/failures.ts";
import { lstat } from "../../shared/files.ts";
import type { PublishedMirror } from "../../shared/mirror-app.ts";
import { namesIn } from "../../shared/nas/points.ts";
import type { Settings } from "./app.ts";
import { lookForDamage } from "./complete.ts";
import { readPage } from "./index-html.ts";
import { hasRenderFiles, removeRender } from "./remove-render.ts";
import { isRenderName, openRender, pageName, type Render } from "./render-folder.ts";

type Context = RunContext<Settings>;

/** A folder with a page, and what lies there that the page does not refer to. */
interface Leftovers {
  /** Holds index.html. */
  readonly folder: string;
  readonly hash: string;
  /** Absolute paths. */
  readonly renders: readonly string[];
  readonly viewers: readonly string[];
}

/**
 * Removes renders and viewers that no index.html refers to, on the NAS and where the renderer leaves them. Nothing
 * goes as long as the published map is not proven to be whole; where the renderer works, nothing as long as the render
 * that it has named last is not. Renders that either of them names stay.
 * @returns Paths of what was removed.
 */
export async function cleanUp(ctx: Context, { root }: PublishedMirror): Promise<string[]> {
  const { renders } = ctx.settings;
  const nas = await leftoversOf(root, join(root, "renders"));
  const source = await leftoversOf(renders, renders);
  if (!nas) return [];
  const spared = new Set([nas.hash, source?.hash].map((hash) => `d-${hash}`));
  const isSpared = (path: string) => spared.has(path.split("/").at(-1) as string);
  const stale = (found: Leftovers) => ({
    ...found,
    // On the NAS a render of the source that is not the published one is what a publish is about to put there.
    renders: found.renders.filter((path) => !isSpared(path)),
  });
  const [there, here] = [stale(nas), source && stale(source)];
  if (isClean(there) && (!here || isClean(here))) return [];
  if (!(await isWhole(ctx, root))) return [];
  const removed = await remove(ctx, there);
  if (here && !isClean(here) && (await isWhole(ctx, renders))) removed.push(...(await remove(ctx, here)));
  return removed;
}

const isClean = ({ renders, viewers }: Leftovers) => renders.length === 0 && viewers.length === 0;

/** @returns undefined when there is no page, or one that is not understood: then nothing is known to be left over. */
async function leftoversOf(folder: string, rendersFolder: string): Promise<Leftovers | undefined> {
  const page = await readPage(join(folder, pageName), "source_invalid").catch(() => undefined);
  if (!page) return undefined;
  const renders: string[] = [];
  for (const name of await namesIn(rendersFolder)) {
    const path = join(rendersFolder, name);
    if (name === `d-${page.hash}` || !isRenderName(name)) continue;
    const info = await lstat(path).catch(ignore("ENOENT"));
    if (info?.isDirectory() && (await hasRenderFiles(path))) renders.push(path);
  }
  const names = await namesIn(folder);
  const viewers = names.filter((name) => /^viewer-[0-9a-f]+\.js$/.test(name) && !page.refersTo.includes(name));
  return {
    folder,
    hash: page.hash,
    renders: renders.sort(),
    viewers: viewers.sort().map((name) => join(folder, name)),
  };
}

async function isWhole(ctx: Context, folder: string): Promise<boolean> {
  let render: Render;
  try {
    render = await openRender(folder, "source_invalid");
  } catch (error) {
    ctx.warn(`Nothing was removed in "${folder}": ${toFailure(error).message}`);
    return false;
  }
  ctx.progress("looking whether the map is whole");
  const { damage } = await lookForDamage(render, { emptyTiles: ctx.settings.emptyTiles, signal: ctx.signal });
  if (damage) ctx.warn(`Nothing was removed in "${folder}": "${damage.file}": ${damage.why}`);
  return damage === undefined;
}

async function remove(ctx: Context, { folder, hash, renders, viewers }: Leftovers): Promise<string[]> {
  const removed: string[] = [];
  for (const path of [...viewers, ...renders]) {
    // A renderer that starts meanwhile names another one.
    const page = await readPage(join(folder, pageName), "source_invalid").catch(() => undefined);
    if (page?.hash !== hash) return removed;
    if (path.endsWith(".js")) await ctx.disk.remove(path);
    else await removeRender(ctx, path);
    removed.push(path);
  }
  return removed;
}
