import { mkdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { writeSave } from "../../../deploy/local/lab/factorio/make-save.ts";
import type { Work } from "../bench.ts";
import { Site } from "../site.ts";
import { measureUnchanged } from "../unchanged.ts";

/** Nothing changed: one save of Factorio, as big as the home lab's. */
export const save: Work = {
  name: "save",
  diskBytes: 0.5e9,
  measure: (bench) =>
    bench.folder("save", async (folder) => {
      const saves = join(folder, "saves");
      await mkdir(saves);
      const path = join(saves, "homelab.zip");
      await writeSave(path, "homelab", { seed: 7, tick: 1000, saves: 1, levelBytes: Math.round(32e6 * bench.scale) });
      await utimes(path, 1e9, 1e9);
      const site = await Site.lay(join(folder, "site"), "factorio", { saves });
      const first = await site.backUp();
      bench.peak("backup of a save", first.peakBytes);
      await bench.warm(saves);
      await measureUnchanged(bench, { site, what: "a save", data: saves });
    }),
};
