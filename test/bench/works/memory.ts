import { mkdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { writeSave } from "../../../deploy/local/lab/factorio/make-save.ts";
import type { Work } from "../bench.ts";
import { makeModelStore } from "../data/store.ts";
import { Site } from "../site.ts";
import { shown } from "../table.ts";

/** The most memory of a runner with very little and very much data; that of all other runs is noted as they go. */
export const memory: Work = {
  name: "memory",
  diskBytes: 5e9,
  measure: (bench) =>
    bench.folder("memory", async (folder) => {
      const saves = join(folder, "saves");
      await mkdir(saves);
      await writeSave(join(saves, "homelab.zip"), "homelab", { seed: 7, tick: 1, saves: 1, levelBytes: 1e6 });
      const small = await Site.lay(join(folder, "small"), "factorio", { saves });
      bench.peak("backup of 1 MB", (await small.backUp()).peakBytes);

      // Twice the data, for it is there twice, and room to spare; what does not fit is said.
      const { bavail, bsize } = await statfs(folder);
      const sizeBytes = Math.min(20e9 * bench.scale, (bavail * bsize - 2e9) / 2.2);
      const models = await makeModelStore(join(folder, "ollama"), sizeBytes / 3e9);
      const big = await Site.lay(join(folder, "big"), "ollama", { models });
      bench.say(`a mirror of ${shown(sizeBytes, "bytes")}`);
      bench.peak(`mirror of ${shown(sizeBytes, "bytes")}`, (await big.backUp()).peakBytes);
      await rm(models, { recursive: true });
      const restored = await big.run({ operation: "restore", allow: [] }, "restored");
      bench.peak(`restore of ${shown(sizeBytes, "bytes")}`, restored.peakBytes);
    }),
};
