import type { Work } from "../bench.ts";
import { dump } from "./dump.ts";
import { idle } from "./idle.ts";
import { manyFiles } from "./many-files.ts";
import { memory } from "./memory.ts";
import { save } from "./save.ts";
import { store } from "./store.ts";
import { tiles } from "./tiles.ts";
import { world } from "./world.ts";

/** In the order in which they run. */
export const works: readonly Work[] = [world, save, tiles, store, manyFiles, dump, memory, idle];
