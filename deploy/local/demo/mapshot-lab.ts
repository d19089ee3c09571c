import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { lookForDamage } from "../../../functions/mapshot/complete.ts";
import { openRender } from "../../../functions/mapshot/render-folder.ts";
import { sha256Of } from "../../../shared/nas/publish.ts";
import { formatBytes } from "../../../shared/words.ts";
import { readState } from "../lab/factorio/game.ts";
import { writeRender } from "../lab/mapshot/make-render.ts";
import { type LabApp, shown } from "./lab.ts";
import { quote } from "./shell.ts";

const script = join(import.meta.dirname, "../lab/mapshot/render.ts");
const hourTicks = 216_000;

/**
 * A renderer's folder as one finds it: the map of the lab's Factorio as it was two days ago, what is left of an older
 * one, and a renderer for the next.
 */
export function mapshotLab(root: string): LabApp {
  const folder = join(root, "mapshot");
  const datadir = join(folder, "factorio");
  const renders = join(datadir, "script-output/mapshot/latest");
  const command = [
    ...[process.execPath, script, "render", "--logtostderr", "--factorio_datadir", datadir].map(quote),
    ...["--area", "all", "--surface", "_all_", "--chunks", "8", "--tile-bytes", "20000", "--no-pictures", "-v", "5"],
    ...["--work_dir", '"$WORK"', '"$SAVE"'],
  ].join(" ");

  return {
    title: "Mapshot",
    name: "mapshot",

    async make() {
      const save = join(root, "factorio/saves/homelab.zip");
      const { seed, tick } = await readState(save).catch(() => ({ seed: 2763008102, tick: 52 * hourTicks }));
      await writeRender(renders, {
        seed,
        tick: Math.max(0, tick - 48 * hourTicks),
        version: "0.0.26",
        pictures: false,
      });
      await mkdir(join(renders, "d-00c0ffee/s1zoom_0"), { recursive: true });
      await writeFile(join(renders, "d-00c0ffee/mapshot.json"), "{}");
      await writeFile(join(renders, "d-00c0ffee/s1zoom_0/tile_0_0.jpg"), "of a render that was replaced");
      return {
        settings: {
          renders: "./mapshot/factorio/script-output/mapshot/latest",
          render: { command, graceSeconds: 10 },
        },
        about: `a render of two days ago, ${await count(renders)}, and what is left of an older one; its renderer is a stand-in`,
      };
    },

    async start() {},
    async stop() {},
    async remove() {},

    /** Every file of the map, once it was looked at whether each tile that it stands for is there. */
    async content() {
      const { damage } = await lookForDamage(await openRender(renders, "source_invalid"), { emptyTiles: "rendered" });
      if (damage) throw new Error(`The map is not whole: ${damage.file}: ${damage.why}`);
      const content = new Map<string, string>();
      for (const path of await filesIn(renders)) {
        const { size } = await stat(join(renders, path));
        content.set(path, `${size} bytes, sha256 ${await sha256Of(join(renders, path))}`);
      }
      return content;
    },

    describe(content) {
      const tiles = [...content].filter(([path]) => path.endsWith(".jpg"));
      const sizeBytes = tiles.reduce((sum, [, value]) => sum + Number.parseInt(value, 10), 0);
      const [name = ""] = tiles[0]?.[0].split("/") ?? [];
      return `${name}, ${tiles.length} tiles of ${formatBytes(sizeBytes)}; none that it stands for is missing`;
    },

    async destroy() {
      await rm(renders, { recursive: true });
      return `rm -r ${shown(renders)}`;
    },
  };
}

/** All but Keepsake's own. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !entry.parentPath.includes("/.keepsake"));
  return files.map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1)).sort();
}

const count = async (folder: string) =>
  `${(await filesIn(folder)).filter((path) => path.endsWith(".jpg")).length} tiles`;
