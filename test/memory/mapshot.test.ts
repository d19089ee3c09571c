import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { layLab, places, render } from "../worlds/mapshot.ts";
import { limitBytes, runMeasured, sizeMiB } from "./measure.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "keepsake-memory-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A square world of so many tiles, at one zoom. */
const square = (tiles: number) => {
  const reach = 16 * Math.ceil(Math.sqrt(tiles));
  return { name: "nauvis", idx: 1, min: { x: -reach, y: -reach }, max: { x: reach - 1, y: reach - 1 } };
};

test(`a runner stays under 150 MB with a render of ${sizeMiB} MiB in tiles of 100 KiB: publish and restore`, {
  timeout: 3_600_000,
}, async () => {
  const lab = join(folder, String(sizeMiB));
  await layLab(lab);
  const surfaces = [square((sizeMiB * 2 ** 20) / 102_400)];
  await render(lab, { surfaces, tileMax: 32, tileMin: 32, tileBytes: 102_400 });
  const publish = await runMeasured(places(lab).config, "mapshot", { operation: "backup", allow: [] });
  expect(publish.outcome.failure).toBeUndefined();
  const restore = await runMeasured(places(lab).config, "mapshot", { operation: "restore", allow: [] });
  expect(restore.outcome.failure).toBeUndefined();
  console.log(
    `Mapshot, ${sizeMiB} MiB: publish ${Math.round(publish.peakBytes / 1e6)} MB, restore ${Math.round(restore.peakBytes / 1e6)} MB`,
  );
  expect(publish.peakBytes).toBeLessThan(limitBytes);
  expect(restore.peakBytes).toBeLessThan(limitBytes);
  await rm(lab, { recursive: true });
});
