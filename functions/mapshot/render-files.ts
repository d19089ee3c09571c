import { lstatSync, type Stats } from "node:fs";
import { join } from "node:path";
import { Failure, type FailureCode } from "../../shared/failures.ts";
import type { MirrorFolderFile } from "../../shared/mirror-app.ts";
import { StatHash } from "../../shared/source/stat-hash.ts";
import { filesPerLook, takingTurns } from "../../shared/source/walk.ts";
import type { EmptyTiles } from "./complete.ts";
import { infoName, type Render } from "./render-folder.ts";
import { tilesOf } from "./tiles.ts";

interface Options {
  readonly emptyTiles: EmptyTiles;
  readonly signal?: AbortSignal;
  /** Of the failure when a tile is not there: `source_changing` when absent. */
  readonly code?: FailureCode;
}

interface RenderFile extends MirrorFolderFile {
  readonly stat: Stats;
}

/**
 * The files that a render consists of: its tiles, in the order of their paths, then mapshot.json. Whoever puts them in
 * place one by one has all tiles there before the file that stands for them. What else lies in the folder, of an
 * earlier render with other settings, is no part of it.
 *
 * Looked at with synchronous calls in slices, as `walkFiles` does.
 * @throws {Failure} With `code` when a tile is not there, `source_invalid` when one is no file.
 */
export async function* filesOf(render: Render, options: Options): AsyncGenerator<RenderFile> {
  const turns = takingTurns(options.signal, filesPerLook);
  for (const file of filesNow(render, options)) {
    if (turns.isOver()) await turns.next();
    if (file) yield file;
  }
}

/** Yields nothing for a tile that is not there and need not be. */
function* filesNow(
  render: Render,
  { emptyTiles, code = "source_changing" }: Options,
): Generator<RenderFile | undefined> {
  for (const layer of render.layers) {
    for (const { path } of tilesOf(layer)) {
      const file = look(render, path);
      if (!file && emptyTiles === "rendered") throw gone(join(render.path, path), code);
      yield file;
    }
  }
  const info = look(render, infoName);
  if (!info) throw gone(join(render.path, infoName), code);
  yield info;
}

function look(render: Render, path: string): RenderFile | undefined {
  const from = `${render.path}/${path}`;
  const stat = lstatSync(from, { throwIfNoEntry: false });
  if (!stat) return undefined;
  if (!stat.isFile()) throw new Failure("source_invalid", `Cannot use "${from}": a file is wanted, is something else`);
  return { path, from, sizeBytes: stat.size, stat };
}

const gone = (path: string, code: FailureCode) =>
  new Failure(code, `Cannot read "${path}": a tile is wanted, it is not there`, {
    ...(code === "source_changing" && { hint: "Something writes there. The next run tries again." }),
  });

export interface Look {
  /** Equal means that no file of the render was touched since. */
  readonly fingerprint: string;
  readonly files: number;
  readonly sizeBytes: number;
}

/** What the file system says of a render's files, without reading them. Throws as `filesOf`. */
export async function lookAtFiles(render: Render, options: Options): Promise<Look> {
  const hash = new StatHash();
  const turns = takingTurns(options.signal, filesPerLook);
  let [files, sizeBytes] = [0, 0];
  for (const file of filesNow(render, options)) {
    if (turns.isOver()) await turns.next();
    if (!file) continue;
    hash.add(file.path, file.stat);
    files += 1;
    sizeBytes += file.sizeBytes;
  }
  return { fingerprint: hash.hex(), files, sizeBytes };
}
