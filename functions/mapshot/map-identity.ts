import type { Identity } from "../../shared/app.ts";

/**
 * Which map a render shows: the seed that the map was made from. Mapshot's own `map_id` will not do, since another
 * version of the game may write another map exchange string for the same map.
 */
export const mapIdentity = (seed: number): Identity => ({ id: `map-seed:${seed}`, label: `the map with seed ${seed}` });
