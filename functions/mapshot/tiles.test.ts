import fc from "fast-check";
import { expect, test } from "vitest";
import { MapshotJson } from "./mapshot-json.ts";
import { type Layer, layersOf, mostTiles, tilesIn, tilesOf } from "./tiles.ts";

const surface = (changes: Record<string, unknown> = {}) => ({
  surface_name: "nauvis",
  surface_idx: 1,
  file_prefix: "s1zoom_",
  tile_size: 1024,
  render_size: 1024,
  world_min: { x: -1248, y: -1120 },
  world_max: { x: 1248, y: 1280 },
  zoom_min: 0,
  zoom_max: 4,
  players: {},
  stations: {},
  tags: {},
  ...changes,
});
const info = (...surfaces: object[]) =>
  MapshotJson.parse({ unique_id: "50f60503", map_id: "2fb5f943", tick: 1, seed: 2763008102, surfaces });
const layers = (...surfaces: object[]) => layersOf(info(...surfaces), "/d/mapshot.json", "source_invalid");

test("layersOf() counts the tiles as the mod does: the public example of Mapshot has these", () => {
  expect(layers(surface()).map((layer) => [layer.folder, ...layer.x, ...layer.y, tilesIn(layer)])).toEqual([
    ["s1zoom_0", -2, 1, -2, 1, 16],
    ["s1zoom_1", -3, 2, -3, 2, 36],
    ["s1zoom_2", -5, 4, -5, 5, 110],
    ["s1zoom_3", -10, 9, -9, 10, 400],
    ["s1zoom_4", -20, 19, -18, 20, 1560],
  ]);
  // The last tile shows what lies behind the world's end, when that is a tile's end too.
  const gleba = {
    surface_idx: 10,
    file_prefix: "s10zoom_",
    world_min: { x: -128, y: -224 },
    world_max: { x: 160, y: 256 },
  };
  expect(layers(surface({ ...gleba, zoom_max: 2 })).at(-1)).toMatchObject({
    folder: "s10zoom_2",
    x: [-1, 0],
    y: [-1, 1],
  });
});

test("layersOf() takes sizes that are no powers of two as the mod does", () => {
  const odd = surface({ tile_size: 1000, zoom_max: 3.96, world_min: { x: 0, y: 0 }, world_max: { x: 999, y: 999 } });
  expect(layers(odd).map(tilesIn)).toEqual([1, 4, 16, 64]);
});

test("tilesOf() gives each tile once, sorted by path, and layers come in the order of paths too", () => {
  const ranges = fc.tuple(fc.integer({ min: -120, max: 120 }), fc.integer({ min: 0, max: 30 }));
  fc.assert(
    fc.property(ranges, ranges, ([x, width], [y, height]) => {
      const layer: Layer = { surface: {} as never, zoom: 0, folder: "s1zoom_0", x: [x, x + width], y: [y, y + height] };
      const tiles = [...tilesOf(layer)];
      const paths = tiles.map(({ path }) => path);
      expect(new Set(paths).size).toBe(tilesIn(layer));
      expect(paths).toEqual([...paths].sort());
      for (const tile of tiles) expect(tile.path).toBe(`s1zoom_0/tile_${tile.x}_${tile.y}.jpg`);
    }),
    { numRuns: 50 },
  );
  const many = [1, 2, 10, 11].map((idx) =>
    surface({ surface_idx: idx, file_prefix: `s${idx}zoom_`, zoom_max: 10, tile_size: 16384 }),
  );
  const folders = layers(...many).map(({ folder }) => `${folder}/`);
  expect(folders).toEqual([...folders].sort());
});

test("tilesOf() holds no more than a row and a column in memory", () => {
  const layer: Layer = { surface: {} as never, zoom: 0, folder: "s1zoom_0", x: [-50_000, 50_000], y: [0, 100_000] };
  const tiles = tilesOf(layer);
  for (let n = 0; n < 1000; n++) expect(tiles.next().done).toBe(false);
});

test.each([
  ["more tiles than any map has", { world_min: { x: -1e6, y: -1e6 }, world_max: { x: 1e6, y: 1e6 }, zoom_max: 10 }],
  ["tiles of nearly nothing", { zoom_max: 30 }],
  ["a row without end", { world_min: { x: -1e6, y: 0 }, world_max: { x: 1e6, y: 0 }, tile_size: 1, zoom_max: 0 }],
])("layersOf() refuses %s without counting them one by one", (_, changes) => {
  expect(() => layers(surface(changes))).toThrow(expect.objectContaining({ code: "source_invalid" }));
});

test("layersOf() takes a million tiles, and refuses a render of none", () => {
  const large = surface({ world_min: { x: -8192, y: -8192 }, world_max: { x: 8191, y: 8191 }, zoom_max: 6 });
  expect(layers(large).reduce((sum, layer) => sum + tilesIn(layer), 0)).toBeGreaterThan(1_000_000);
  expect(layers(large).reduce((sum, layer) => sum + tilesIn(layer), 0)).toBeLessThan(mostTiles);
  expect(() => layersOf(info(), "/d/mapshot.json", "source_invalid")).toThrow(/1 to \d+ tiles are wanted/);
});
