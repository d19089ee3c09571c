import { join } from "node:path";
import { ignore } from "../../shared/disk.ts";
import { Failure, type FailureCode } from "../../shared/failures.ts";
import { lstat } from "../../shared/files.ts";
import { namesIn } from "../../shared/nas/points.ts";
import { type MapPage, readPage } from "./index-html.ts";
import { type MapshotJson, readMapshotJson } from "./mapshot-json.ts";
import { type Layer, layersOf } from "./tiles.ts";

export const pageName = "index.html";
export const infoName = "mapshot.json";

/** The name of a render's folder. */
export const isRenderName = (name: string) => /^d-[0-9a-f]{8}$/.test(name);

/** A map as it lies in a folder: the page, the viewer's files, and the render that the page names. */
export interface Render {
  /** Holds index.html. */
  readonly folder: string;
  readonly page: MapPage;
  /** The folder of mapshot.json and the tiles, absolute. */
  readonly path: string;
  /** Its name, "d-5f60503a". */
  readonly name: string;
  readonly info: MapshotJson;
  readonly layers: readonly Layer[];
  /** Plain names of the files beside index.html that belong to it. Others, of earlier viewers, do not. */
  readonly viewer: readonly string[];
}

/**
 * Reads which render a folder's index.html names, and what that is made of. Says nothing of the tiles: the renderer
 * writes all of this before the first one.
 * @param code Of the failures: whether this is the source or a backup.
 * @throws {Failure} With that code.
 */
export async function openRender(folder: string, code: FailureCode): Promise<Render> {
  const page = await readPage(join(folder, pageName), code);
  const name = `d-${page.hash}`;
  const path = join(folder, page.place, name);
  const info = await readMapshotJson(join(path, infoName), code);
  if (info.unique_id !== page.hash) {
    throw new Failure(
      code,
      `Cannot use "${join(path, infoName)}": that of ${page.hash} is wanted, is that of ${info.unique_id}`,
    );
  }
  const viewer = await viewerFiles(folder, page, code);
  return { folder, page, path, name, info, layers: layersOf(info, join(path, infoName), code), viewer };
}

/** What the page refers to, and what the renderer puts beside it without a word in the page. */
async function viewerFiles(folder: string, page: MapPage, code: FailureCode): Promise<string[]> {
  const beside = /^(thumbnail\.png|manifest\.json|[A-Za-z0-9][\w.-]*\.svg)$/;
  const names = await namesIn(folder);
  const wanted = new Set([...page.refersTo, ...names.filter((name) => beside.test(name))]);
  wanted.delete(pageName);
  const files: string[] = [];
  for (const name of [...wanted].sort()) {
    const info = await lstat(join(folder, name)).catch(ignore("ENOENT"));
    if (info?.isFile() && info.size > 0) files.push(name);
    // Without its program the page stays empty; a missing style or icon does not hide the map.
    else if (info || name.endsWith(".js")) {
      throw new Failure(
        code,
        `Cannot use "${join(folder, name)}": a file with something in it is wanted, ${info ? "it has none, or is none" : "it is not there"}`,
        { hint: `"${join(folder, pageName)}" refers to it.` },
      );
    }
  }
  return files;
}
