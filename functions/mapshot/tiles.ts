import { Failure, type FailureCode } from "../../shared/failures.ts";
import type { MapshotJson, Surface } from "./mapshot-json.ts";

/** All tiles of one surface at one zoom: every x with every y. */
export interface Layer {
  readonly surface: Surface;
  readonly zoom: number;
  /** Its folder, below that of the render: "s1zoom_0". */
  readonly folder: string;
  /** First and last, both included. */
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
}

/** A folder that stands for more is no render: at the finest setting this is a square of 44 kilometres. */
export const mostTiles = 10_000_000;
/** In a row or a column: what the whole width of a Factorio world has at the finest setting, and some more. */
const mostInARow = 200_000;

/**
 * The layers that a render consists of, as the mod counts them (control.lua, `gen_layer`).
 * @throws {Failure} With `code` when they hold nothing, or more than any render.
 */
export function layersOf(info: MapshotJson, path: string, code: FailureCode): Layer[] {
  const layers: Layer[] = [];
  for (const surface of info.surfaces) {
    for (let zoom = surface.zoom_min; zoom <= surface.zoom_max; zoom++) {
      const size = surface.tile_size / 2 ** zoom;
      const range = (axis: "x" | "y") =>
        [Math.floor(surface.world_min[axis] / size), Math.floor(surface.world_max[axis] / size)] as const;
      layers.push({ surface, zoom, folder: `${surface.file_prefix}${zoom}`, x: range("x"), y: range("y") });
    }
  }
  const count = layers.reduce((sum, layer) => sum + tilesIn(layer), 0);
  const longest = Math.max(0, ...layers.flatMap(({ x, y }) => [x[1] - x[0] + 1, y[1] - y[0] + 1]));
  if (count < 1 || count > mostTiles || longest > mostInARow) {
    throw new Failure(code, `Cannot use "${path}": 1 to ${mostTiles} tiles are wanted, it stands for ${count}`);
  }
  return layers.sort((a, b) => (`${a.folder}/` < `${b.folder}/` ? -1 : 1));
}

export const tilesIn = ({ x, y }: Layer): number => (x[1] - x[0] + 1) * (y[1] - y[0] + 1);

export interface Tile {
  readonly x: number;
  readonly y: number;
  /** Below the folder of the render. */
  readonly path: string;
}

/** The tiles of a layer, sorted by path: one at a time, for there can be millions. */
export function* tilesOf({ folder, x, y }: Layer): Generator<Tile> {
  const columns = sorted(x, (n) => `${n}_`);
  const rows = sorted(y, (n) => `${n}.jpg`);
  for (const column of columns) {
    for (const row of rows) yield { x: column, y: row, path: tilePath(folder, column, row) };
  }
}

export const tilePath = (folder: string, x: number, y: number) => `${folder}/tile_${x}_${y}.jpg`;

/** The numbers of a range in the order of their texts. */
function sorted([first, last]: readonly [number, number], text: (n: number) => string): number[] {
  const numbers = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  return numbers.sort((a, b) => (text(a) < text(b) ? -1 : 1));
}
