import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { type RenderState, writeRender } from "../../deploy/local/lab/mapshot/make-render.ts";
import { lookForDamage } from "../../functions/mapshot/complete.ts";
import { openRender, type Render } from "../../functions/mapshot/render-folder.ts";
import { Disk } from "../../shared/disk.ts";
import { initNas } from "../../shared/nas/nas.ts";
import { createStep } from "../../shared/step.ts";
import { programPath } from "../programs.ts";

const renderer = programPath("deploy/local/lab/mapshot/render.ts");

/** A Mapshot home lab in one folder: where things are. */
export const places = (folder: string) => ({
  nas: join(folder, "nas"),
  state: join(folder, "state"),
  config: join(folder, "keepsake.yaml"),
  /** The game's saves, of which backups are rendered. */
  saves: join(folder, "saves"),
  /** The renderer's Factorio. */
  datadir: join(folder, "factorio"),
  renders: join(folder, "factorio/script-output/mapshot/latest"),
  map: join(folder, "nas/mapshot"),
});

/** A marked NAS, and settings without a renderer. */
export async function layLab(folder: string, settings: Record<string, unknown> = {}): Promise<void> {
  const { nas, renders } = places(folder);
  await mkdir(nas, { recursive: true });
  await mkdir(renders, { recursive: true });
  await initNas(nas, new Disk(createStep()));
  await configure(folder, settings);
}

/** The settings hold absolute paths, so each copy of a lab gets its own. */
export async function configure(folder: string, settings: Record<string, unknown> = {}): Promise<void> {
  const { saves, renders, config } = places(folder);
  const apps = { factorio: { saves }, mapshot: { renders, ...settings } };
  await writeFile(config, JSON.stringify({ nas: "./nas", state: "./state", nasTimeoutSeconds: 1, apps }));
}

/** The stand-in of `mapshot render`, as a line of the settings. */
export const command = (folder: string, more = "") =>
  `${process.execPath} ${renderer} render --factorio_datadir ${places(folder).datadir} --work_dir "$WORK" ${more} "$SAVE"`;

/** Leaves a complete render where the renderer leaves them. @returns The name of its folder. */
export const render = async (folder: string, changes: Partial<RenderState> = {}) =>
  `d-${await writeRender(places(folder).renders, changes)}`;

/** The map that a folder shows, once it was looked at whether every tile of it is there. */
export async function wholeMap(folder: string, emptyTiles: "rendered" | "skipped" = "rendered"): Promise<Render> {
  const map = await openRender(folder, "backup_damaged");
  expect((await lookForDamage(map, { emptyTiles })).damage, `${folder} shows a whole map`).toBeUndefined();
  return map;
}

/** Every file below a folder with the sha256 of its content; hidden folders left out. */
export async function sums(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const found: [string, string][] = [];
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || path.includes("/.keepsake/")) continue;
    const hash = createHash("sha256").update(await readFile(path));
    found.push([path.slice(folder.length + 1), hash.digest("hex")]);
  }
  return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}
