import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { flatJpeg } from "./jpeg.ts";

export interface LabSurface {
  readonly name: string;
  readonly idx: number;
  /** World units, as chunks have them: multiples of 32. */
  readonly min: { readonly x: number; readonly y: number };
  readonly max: { readonly x: number; readonly y: number };
}

/** What a render follows from. */
export interface RenderState {
  /** Of the map. */
  readonly seed: number;
  /** The moment in the game. */
  readonly tick: number;
  readonly surfaces: readonly LabSurface[];
  /** World units of the largest and the smallest tile: powers of two. */
  readonly tileMax: number;
  readonly tileMin: number;
  readonly savename: string;
  /** Version of the mod: it goes into the hash, as the real one's does. */
  readonly version: string;
  /** `path` up to 0.0.24, `encoded_path` since. */
  readonly key: "path" | "encoded_path";
  /** Without tiles on which nothing is built, as `--minjpgquality 0`. */
  readonly skipEmpty: boolean;
  /** How many bytes a tile has at least. */
  readonly tileBytes: number;
  /** Whether the viewer has pictures beside it, which not every version writes. */
  readonly pictures: boolean;
}

export const nauvis: LabSurface = { name: "nauvis", idx: 1, min: { x: -96, y: -64 }, max: { x: 128, y: 96 } };
export const platform: LabSurface = { name: "platform-1", idx: 2, min: { x: -32, y: -32 }, max: { x: 32, y: 32 } };

export const labRender: RenderState = {
  seed: 2763008102,
  tick: 23_995_710,
  surfaces: [nauvis, platform],
  tileMax: 128,
  tileMin: 32,
  savename: "latest",
  version: "0.0.27",
  key: "encoded_path",
  skipEmpty: false,
  tileBytes: 0,
  pictures: true,
};

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
/** Eight digits from the tenth on, as the mod cuts its hashes. */
const cut = (hash: string) => hash.slice(9, 17);

/** Of mod version, tick and map: how it is rendered is no part of it. */
export const hashOf = ({ version, tick, seed }: RenderState) =>
  cut(sha256(`${sha256(version)} ${tick} ${exchangeString(seed)}`));

const exchangeString = (seed: number) => `>>>${Buffer.from(`map ${seed}`).toString("base64")}<<<`;

/** What the mod writes before the first tile: a map from the path below the render folder to the content. */
export function firstFiles(state: RenderState): Map<string, string | Buffer> {
  const hash = hashOf(state);
  const viewer = `viewer-${sha256(`viewer ${state.version}`).slice(0, 8)}.js`;
  return new Map<string, string | Buffer>([
    [`d-${hash}/mapshot.json`, JSON.stringify(mapshotJson(state))],
    ["index.html", page(state, viewer)],
    [viewer, `const config = MAPSHOT_CONFIG.${state.key} ?? ""; // the stand-in's viewer, ${state.version}\n`],
    ["thumbnail.png", onePixel],
    ["manifest.json", `${JSON.stringify(webManifest, null, 2)}\n`],
    ...(state.pictures ? ([["layers.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>\n']] as const) : []),
  ]);
}

/** Every tile, in the order of the mod: surface by surface, from the coarsest zoom to the finest. */
export function* tilesOf(state: RenderState): Generator<{ path: string; bytes: () => Buffer }> {
  const hash = hashOf(state);
  for (const surface of state.surfaces) {
    for (const [zoom, size] of sizes(state).entries()) {
      const range = (axis: "x" | "y") => [Math.floor(surface.min[axis] / size), Math.floor(surface.max[axis] / size)];
      const [[x0, x1], [y0, y1]] = [range("x"), range("y")] as [[number, number], [number, number]];
      for (let y = y0; y <= y1; y++) {
        for (let x = x0; x <= x1; x++) {
          if (state.skipEmpty && isEmpty(surface, size, x, y)) continue;
          const path = `d-${hash}/s${surface.idx}zoom_${zoom}/tile_${x}_${y}.jpg`;
          yield { path, bytes: () => tile(state, path) };
        }
      }
    }
  }
}

/** Writes a complete render into a folder. @returns Its hash. */
export async function writeRender(folder: string, changes: Partial<RenderState> = {}): Promise<string> {
  const state = { ...labRender, ...changes };
  const made = new Set<string>();
  const write = async (path: string, content: string | Buffer) => {
    const parent = join(folder, path, "..");
    if (!made.has(parent)) await mkdir(parent, { recursive: true });
    made.add(parent);
    await writeFile(join(folder, path), content);
  };
  for (const [path, content] of firstFiles(state)) await write(path, content);
  for (const { path, bytes } of tilesOf(state)) await write(path, bytes());
  return hashOf(state);
}

export const sizes = ({ tileMax, tileMin }: RenderState) =>
  Array.from({ length: Math.log2(tileMax) - Math.log2(tileMin) + 1 }, (_, zoom) => tileMax / 2 ** zoom);

/** Something is built around the middle of each surface. */
function isEmpty({ min, max }: LabSurface, size: number, x: number, y: number): boolean {
  const built = {
    x: [(min.x * 3) / 4, (max.x * 3) / 4],
    y: [(min.y * 3) / 4, (max.y * 3) / 4],
  } as const;
  const within = (n: number, [from, to]: readonly [number, number]) => n * size < to && (n + 1) * size > from;
  return !(within(x, built.x) && within(y, built.y));
}

function tile({ tick, seed, tileBytes }: RenderState, path: string): Buffer {
  const digest = createHash("sha256").update(`${seed} ${tick} ${path}`).digest();
  const note = Buffer.alloc(Math.max(32, tileBytes), digest);
  return flatJpeg(64, digest.readUInt32LE(0), note);
}

function mapshotJson(state: RenderState) {
  const { seed, tick, surfaces, savename, tileMax, version } = state;
  return {
    savename,
    unique_id: hashOf(state),
    map_id: cut(sha256(exchangeString(seed))),
    tick,
    ticks_played: tick + 19_281,
    seed,
    map_exchange: exchangeString(seed),
    surfaces: surfaces.map(({ name, idx, min, max }) => ({
      surface_name: name,
      surface_idx: idx,
      file_prefix: `s${idx}zoom_`,
      tile_size: tileMax,
      render_size: 64,
      world_min: min,
      world_max: max,
      zoom_min: 0,
      zoom_max: sizes(state).length - 1,
      // Lua cannot tell an empty list from an empty table.
      players: {},
      stations: {},
      tags: {},
    })),
    game_version: "2.0.72",
    active_mods: { mapshot: version, "space-age": "2.0.72" },
  };
}

/** As the mod fills in its template; the map library is left out, because it comes from another site. */
const page = (state: RenderState, viewer: string) => `<html>

<head>
    <title>Mapshot</title>
    <link rel="apple-touch-icon" href="thumbnail.png">
    <link rel="manifest" href="manifest.json">
    <link rel="icon" href="thumbnail.png" sizes="144x144">
    <script>let MAPSHOT_CONFIG = {}; try { MAPSHOT_CONFIG = {"${state.key}":"d-${hashOf(state)}"} } catch (e) { }</script>
</head>

<body>
    <div id="content" style="height:100%">Loading...</div>
    <script src="./${viewer}" defer=""></script>
</body>

</html>
`;

const webManifest = {
  name: "Mapshot",
  icons: [{ src: "thumbnail.png", type: "image/png", sizes: "144x144" }],
  display: "standalone",
  start_url: "./?",
  description: "Factorio map viewer",
};

const onePixel = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=",
  "base64",
);
