import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { lstat, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { ignore } from "../../shared/disk.ts";
import { infoName, type Render } from "./render-folder.ts";
import { type Layer, tilePath, tilesIn, tilesOf } from "./tiles.ts";

/**
 * Whether tiles without anything built on them are rendered. With `--minjpgquality 0` (since 0.0.20) they are left
 * out, and the viewer shows a part of the tile above instead. Nothing in a render tells with which it was made.
 */
export type EmptyTiles = "rendered" | "skipped";

/** What is wrong with a render. */
export interface Damage {
  /** Absolute. */
  readonly file: string;
  readonly why: string;
  /** It is not there, or ends early: so it is also while the renderer is at work. */
  readonly unfinished: boolean;
  readonly hint?: string;
}

export interface Looked {
  readonly damage?: Damage;
  readonly tiles: number;
  readonly sizeBytes: number;
}

interface Options {
  readonly emptyTiles: EmptyTiles;
  readonly signal?: AbortSignal;
  readonly onTile?: (done: number, total: number) => void;
  /** Whether the render is on a disk of this machine: then tiles are looked at one by one, which costs a third. */
  readonly isHere?: boolean;
}

/** A network file system answers each call late. */
const atOnce = 8;
const sliceMs = 10;

/**
 * Looks whether every tile that mapshot.json stands for is there, a whole JPEG as far as its first and last bytes
 * tell. Memory stays flat, however many there are.
 * @returns The first damage found, if any.
 */
export async function lookForDamage(
  render: Render,
  { emptyTiles, signal, onTile, isHere = false }: Options,
): Promise<Looked> {
  let sinceMs = performance.now();
  const total = render.layers.reduce((sum, layer) => sum + tilesIn(layer), 0);
  let [tiles, sizeBytes, done] = [0, 0, 0];
  let damage: Damage | undefined;
  const counts = new Map<number, number>();
  for (const layer of render.layers) {
    const { surface_idx: surface } = layer.surface;
    const folder = await lstat(join(render.path, layer.folder)).catch(ignore("ENOENT", "ENOTDIR"));
    if (folder && !folder.isDirectory())
      return { damage: notA("folder", join(render.path, layer.folder)), tiles, sizeBytes };
    const iterator = tilesOf(layer);
    const worker = async () => {
      for (const tile of iterator) {
        signal?.throwIfAborted();
        if (isHere && performance.now() - sinceMs > sliceMs) {
          await setImmediate();
          sinceMs = performance.now();
        }
        const path = join(render.path, tile.path);
        const bytes = isHere ? lookHere(path) : await lookAt(path);
        let found: Damage | undefined;
        if (typeof bytes === "number") {
          tiles += 1;
          sizeBytes += bytes;
          counts.set(surface, (counts.get(surface) ?? 0) + 1);
          if (emptyTiles === "skipped") found = await strayed(render, layer, tile);
        } else if (bytes !== "missing") found = bytes;
        else if (emptyTiles === "rendered") found = await missing(render, layer, tile.path);
        // Only now: the others went on meanwhile.
        damage ??= found;
        done += 1;
        onTile?.(done, total);
        if (damage) return;
      }
    };
    await Promise.all(Array.from({ length: isHere ? 1 : atOnce }, worker));
    if (damage) return { damage, tiles, sizeBytes };
  }
  for (const { surface } of render.layers) {
    if (!counts.has(surface.surface_idx)) return { damage: noTiles(render, surface.surface_name), tiles, sizeBytes };
  }
  return { tiles, sizeBytes };
}

const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
type Seen = number | "missing" | Damage;

/** @returns Its size, or what is wrong with it. */
async function lookAt(path: string): Promise<Seen> {
  try {
    const file = await open(path, openFlags);
    try {
      const info = await file.stat();
      const ends = Buffer.alloc(4);
      if (info.isFile() && info.size >= 4) {
        await file.read(ends, 0, 2, 0);
        await file.read(ends, 2, 2, info.size - 2);
      }
      return judge(path, info, ends);
    } finally {
      await file.close();
    }
  } catch (error) {
    return notOpened(path, error as NodeJS.ErrnoException);
  }
}

/** The same with synchronous calls. */
function lookHere(path: string): Seen {
  try {
    const fd = openSync(path, openFlags);
    try {
      const info = fstatSync(fd);
      const ends = Buffer.alloc(4);
      if (info.isFile() && info.size >= 4) {
        readSync(fd, ends, 0, 2, 0);
        readSync(fd, ends, 2, 2, info.size - 2);
      }
      return judge(path, info, ends);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return notOpened(path, error as NodeJS.ErrnoException);
  }
}

function notOpened(path: string, error: NodeJS.ErrnoException): Seen {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return "missing";
  if (error.code === "ELOOP") return notA("file", path);
  throw error;
}

/** @param ends The first two bytes, and the last two. */
function judge(path: string, info: Stats, ends: Buffer): number | Damage {
  if (!info.isFile()) return notA("file", path);
  if (info.size < 4) return { file: path, why: `a picture is wanted, is ${info.size} bytes`, unfinished: true };
  if (ends.readUInt16BE(0) !== 0xffd8)
    return { file: path, why: "a JPEG is wanted, is something else", unfinished: false };
  if (ends.readUInt16BE(2) !== 0xffd9)
    return { file: path, why: "a whole JPEG is wanted, its end is missing", unfinished: true };
  return info.size;
}

const notA = (what: string, file: string): Damage => ({
  file,
  why: `a ${what} is wanted, is something else`,
  unfinished: false,
});

async function missing(render: Render, layer: Layer, path: string): Promise<Damage> {
  // A tile of the coarsest zoom shows all of a small surface: without any, nothing of this surface was rendered.
  const coarsest = join(render.path, `${layer.surface.file_prefix}${layer.surface.zoom_min}`);
  const names = (await readdir(coarsest).catch(ignore("ENOENT", "ENOTDIR"))) ?? [];
  if (!names.some((name) => name.endsWith(".jpg"))) return noTiles(render, layer.surface.surface_name);
  return { file: join(render.path, path), why: "a tile is wanted, it is not there", unfinished: true };
}

/** A Factorio without Space Age's data lists all surfaces and renders the first one only (Palats/mapshot#55). */
const noTiles = (render: Render, surface: string): Damage => ({
  file: render.path,
  why: `tiles of the surface "${surface}" are wanted, there are none`,
  unfinished: true,
  hint: `If it stays so: does the renderer's Factorio have all that the save needs (Space Age)? Or leave the surface out with the renderer's --surface.`,
});

/**
 * Where empty tiles are skipped, a tile shows something built, so the tile above it shows that too, and one of the
 * four below it, unless they lie outside of the world.
 */
async function strayed(render: Render, layer: Layer, { x, y }: { x: number; y: number }): Promise<Damage | undefined> {
  const { file_prefix: prefix } = layer.surface;
  const zoomed = (zoom: number) =>
    render.layers.find((other) => other.surface === layer.surface && other.zoom === zoom);
  const there = (path: string) =>
    lstat(join(render.path, path)).then(
      () => true,
      () => false,
    );
  const above = zoomed(layer.zoom - 1);
  if (above) {
    const path = tilePath(`${prefix}${above.zoom}`, Math.floor(x / 2), Math.floor(y / 2));
    if (!(await there(path))) {
      return {
        file: join(render.path, path),
        why: "a tile is wanted because one below it is there, it is not there",
        unfinished: true,
      };
    }
  }
  const below = zoomed(layer.zoom + 1);
  if (!below) return undefined;
  const four = [0, 1].flatMap((dx) => [0, 1].map((dy) => ({ x: 2 * x + dx, y: 2 * y + dy })));
  const within = (n: number, [first, last]: readonly [number, number]) => n >= first && n <= last;
  if (!four.every((tile) => within(tile.x, below.x) && within(tile.y, below.y))) return undefined;
  for (const tile of four) if (await there(tilePath(below.folder, tile.x, tile.y))) return undefined;
  return {
    file: join(render.path, tilePath(layer.folder, x, y)),
    why: "one of the four tiles below it is wanted, none is there",
    unfinished: true,
  };
}

/** When something of a render was last made, in ms since the epoch: as far as its folders tell. */
export async function lastChangeOf(render: Render): Promise<number> {
  const paths = ["", infoName, ...render.layers.map(({ folder }) => folder)].map((name) => join(render.path, name));
  let newestMs = 0;
  for (const path of paths) {
    const info = await lstat(path).catch(ignore("ENOENT", "ENOTDIR"));
    newestMs = Math.max(newestMs, info?.mtimeMs ?? 0);
  }
  return newestMs;
}
