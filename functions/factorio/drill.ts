import { join } from "node:path";
import type { DrillApp } from "../../shared/app.ts";
import { sizeOf } from "../../shared/nas/points.ts";
import { openReadBack } from "../../shared/nas/read-back.ts";
import { requireFacts, requireSame } from "../../shared/run/drill-compare.ts";
import type { Settings } from "./app.ts";
import { mapIdentity } from "./map-identity.ts";
import { proveSave } from "./save-zip.ts";
import { listSaves } from "./saves-folder.ts";

export const drill: DrillApp<Settings> = {
  neededBytes: sizeOf,

  async open({ settings: { rcon: _, ...settings } }, __, folder) {
    return { settings: { ...settings, saves: join(folder, "saves") } };
  },

  /** The save that a server would load: its bytes, what they mean, and of which map it is. */
  async compare({ settings: { saves, saveName }, signal }, { id, manifest }) {
    const name = `${saveName}.zip`;
    requireSame(
      id,
      "saves",
      [name],
      (await listSaves(saves)).map((save) => save.name),
    );
    const file = await openReadBack(join(saves, name), { signal });
    try {
      const { mapHash, ...facts } = await proveSave(file, signal);
      const compared = requireFacts(id, manifest?.facts, facts);
      const [recorded] = manifest?.files ?? [];
      if (recorded) requireSame(id, "sha256", recorded.sha256, await file.sha256());
      if (manifest?.identity) requireSame(id, "map", manifest.identity.id, mapHash && mapIdentity(mapHash).id);
      return [
        `${name} of ${file.sizeBytes} bytes`,
        ...(recorded ? ["its sha256"] : ["no checksum was recorded"]),
        ...(manifest?.identity ? [manifest.identity.label] : []),
        ...compared,
      ];
    } finally {
      await file.close();
    }
  },
};
