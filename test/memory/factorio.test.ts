import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { layLab, places, play } from "../worlds/factorio.ts";
import { limitBytes, runMeasured, sizeMiB } from "./measure.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "keepsake-memory-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test(`a runner stays under 150 MB with a map of ${sizeMiB} MiB: backup and restore`, {
  timeout: 3_600_000,
}, async () => {
  const lab = join(folder, String(sizeMiB));
  await layLab(lab, { smallerThanPercent: 0 });
  await play(lab, 1000, { levelBytes: sizeMiB * 2 ** 20 });
  const backup = await runMeasured(places(lab).config, "factorio", { operation: "backup", allow: [] });
  expect(backup.outcome.failure).toBeUndefined();
  const restore = await runMeasured(places(lab).config, "factorio", { operation: "restore", allow: [] });
  expect(restore.outcome.failure).toBeUndefined();
  console.log(
    `Factorio, ${sizeMiB} MiB: backup ${Math.round(backup.peakBytes / 1e6)} MB, restore ${Math.round(restore.peakBytes / 1e6)} MB`,
  );
  expect(backup.peakBytes).toBeLessThan(limitBytes);
  expect(restore.peakBytes).toBeLessThan(limitBytes);
  await rm(lab, { recursive: true });
});
