import { join } from "node:path";
import type { DrillApp } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { sizeOf } from "../../shared/nas/points.ts";
import { sha256Of } from "../../shared/nas/publish.ts";
import { requireFacts, requireSame } from "../../shared/run/drill-compare.ts";
import type { Settings } from "./app.ts";
import { lookForDamage } from "./complete.ts";
import { openRender, pageName } from "./render-folder.ts";

export const drill: DrillApp<Settings> = {
  neededBytes: sizeOf,

  async open({ settings: { render: _, ...settings } }, __, folder) {
    return { settings: { ...settings, renders: join(folder, "latest") } };
  },

  /**
   * The map that its page shows: every tile that its mapshot.json stands for. The restore itself has compared each file
   * with its sha256 where it arrived, as long as the page on the NAS is the one that was recorded: without that it
   * believes what it finds.
   */
  async compare({ settings: { renders, emptyTiles }, signal }, { id, manifest, files }) {
    const page = manifest?.files.find(({ name }) => name === pageName);
    const root = files[0]?.path;
    if (page && root !== undefined)
      requireSame(id, pageName, page.sha256, await sha256Of(join(root, pageName), signal));
    const render = await openRender(renders, "backup_damaged");
    const made = manifest?.facts.emptyTiles === "skipped" ? "skipped" : emptyTiles;
    const { damage, tiles } = await lookForDamage(render, { emptyTiles: made, signal, isHere: true });
    if (damage) throw new Failure("backup_damaged", `Cannot prove ${id}: "${damage.file}": ${damage.why}`);
    const { seed, map_id: mapId, tick } = render.info;
    const compared = requireFacts(id, manifest?.facts, { render: render.name, tiles, seed, mapId, tick });
    return [`${tiles} tiles`, ...(page ? ["the sha256 of each"] : ["no checksum was recorded"]), ...compared];
  },
};
