import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { gameOf, makeGame, newGame } from "../../deploy/local/lab/sdtd/make-game.ts";
import { makeWorld } from "../../deploy/local/lab/sdtd/make-world.ts";
import { layLab, places } from "../worlds/sdtd.ts";
import { limitBytes, runMeasured, sizeMiB } from "./measure.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "keepsake-memory-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test(`a runner stays under 150 MB with a game and a world of ${sizeMiB} MiB together: backup and restore`, {
  timeout: 7_200_000,
}, async () => {
  const lab = join(folder, String(sizeMiB));
  await layLab(lab, { smallerThanPercent: 0 });
  const halfBytes = sizeMiB * 2 ** 19;
  await makeGame(places(lab).gameFolder, newGame(1), gameOf(halfBytes));
  // Two maps of two bytes a point.
  await makeWorld(places(lab).worldFolder, 1, Math.floor(Math.sqrt(halfBytes / 4)));
  const backup = await runMeasured(places(lab).config, "sdtd", { operation: "backup", allow: [] });
  expect(backup.outcome.failure).toBeUndefined();
  const restore = await runMeasured(places(lab).config, "sdtd", { operation: "restore", allow: [] });
  expect(restore.outcome.failure).toBeUndefined();
  const peaks = [backup, restore].map(({ peakBytes }) => Math.round(peakBytes / 1e6));
  console.log(`7 Days to Die, ${sizeMiB} MiB: backup ${peaks[0]} MB, restore ${peaks[1]} MB`);
  expect(backup.peakBytes).toBeLessThan(limitBytes);
  expect(restore.peakBytes).toBeLessThan(limitBytes);
  await rm(lab, { recursive: true });
});
