import { z } from "zod";
import { Failure, type FailureCode } from "../../shared/failures.ts";
import { parseJson } from "../../shared/json.ts";
import { readSmall } from "./read-small.ts";

/*
 * What a render says of itself: `d-<hash>/mapshot.json`, as the mod's control.lua (Palats/mapshot, 0.0.14 to 0.0.27)
 * writes it before the first tile. Only what decides which tiles there are, and what names the map, is read.
 */

/** Factorio's worlds reach one million in each direction. */
const coordinate = z.number().min(-1_000_000).max(1_000_000);
const position = z.object({ x: coordinate, y: coordinate });

/** Lua cannot tell an empty list from an empty table, so an empty list is written as `{}`. */
const listOf = <T extends z.ZodType>(item: T) =>
  z.preprocess((value) => (isEmptyTable(value) ? [] : value), z.array(item).max(10_000));

const isEmptyTable = (value: unknown) =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;

const Surface = z
  .object({
    surface_name: z.string().max(200),
    surface_idx: z
      .number()
      .int()
      .min(0)
      .max(2 ** 31),
    /** Of its folders of tiles: the zoom follows. */
    file_prefix: z.string(),
    /** World units that a tile of zoom 0 shows; each zoom shows half of the one before. */
    tile_size: z
      .number()
      .min(1)
      .max(2 ** 20),
    /** Pixels of a tile. */
    render_size: z.number().min(1).max(65_536),
    world_min: position,
    world_max: position,
    zoom_min: z.number().int().min(0).max(30),
    /** Not a whole number when the sizes are no powers of two. */
    zoom_max: z.number().min(0).max(30),
  })
  .refine((surface) => surface.file_prefix === `s${surface.surface_idx}zoom_`, {
    error: "the prefix of a surface's folders is s<surface_idx>zoom_",
    path: ["file_prefix"],
  })
  .refine(({ world_min, world_max }) => world_min.x <= world_max.x && world_min.y <= world_max.y, {
    error: "the world ends before it begins",
    path: ["world_max"],
  })
  .refine(({ zoom_min, zoom_max }) => zoom_min <= zoom_max, {
    error: "the last zoom comes before the first",
    path: ["zoom_max"],
  });
export type Surface = z.infer<typeof Surface>;

export const MapshotJson = z.object({
  /** sha256 of mod version, tick and map exchange string, eight digits of it: also the name of the folder. */
  unique_id: z.string().regex(/^[0-9a-f]{8}$/),
  /** sha256 of the map exchange string. Another version of the game can write another string for the same map. */
  map_id: z.string().max(100),
  /** Of the map; stays the same for ever. */
  seed: z.number(),
  /** The moment in the game; 60 make a second. */
  tick: z.number().min(0),
  surfaces: listOf(Surface).refine(
    (surfaces) => new Set(surfaces.map(({ surface_idx }) => surface_idx)).size === surfaces.length,
    "a surface is listed twice",
  ),
  /** Since 0.0.21. */
  game_version: z.string().max(100).optional(),
  active_mods: z
    .preprocess((value) => (Array.isArray(value) ? {} : value), z.record(z.string(), z.unknown()))
    .optional(),
});
export type MapshotJson = z.infer<typeof MapshotJson>;

const largestBytes = 8 << 20;

/**
 * @param code Of the failure: whether this is the source or a backup.
 * @throws {Failure} With that code when it is not there, is too large, or says what no render says.
 */
export async function readMapshotJson(path: string, code: FailureCode): Promise<MapshotJson> {
  const text = await readSmall(path, largestBytes, code);
  const parsed = MapshotJson.safeParse(parseJson(text.toString("utf8")));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Failure(
    code,
    `Cannot use "${path}": what Mapshot 0.0.14 or newer writes is wanted, is not (${issue?.path.join(".") || "the whole"}: ${issue?.message})`,
    { cause: parsed.error },
  );
}
