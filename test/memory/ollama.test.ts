import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { layLab, places } from "../worlds/ollama.ts";
import { limitBytes, runMeasured, sizeMiB } from "./measure.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "keepsake-memory-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test(`a runner stays under 150 MB with a model of ${sizeMiB} MiB: backup and restore`, {
  timeout: 7_200_000,
}, async () => {
  const lab = join(folder, String(sizeMiB));
  const layers = [{ kind: "model", key: "weights", sizeBytes: sizeMiB * 2 ** 20 }];
  await layLab(lab, { workload: undefined, models: [{ name: "large", layers }] });
  const backup = await runMeasured(places(lab).config, "ollama", { operation: "backup", allow: [] });
  expect(backup.outcome.failure).toBeUndefined();
  await rm(places(lab).models, { recursive: true });
  const restore = await runMeasured(places(lab).config, "ollama", { operation: "restore", allow: [] });
  expect(restore.outcome.failure).toBeUndefined();
  const peaks = [backup, restore].map(({ peakBytes }) => Math.round(peakBytes / 1e6));
  console.log(`Ollama, ${sizeMiB} MiB: backup ${peaks[0]} MB, restore ${peaks[1]} MB`);
  expect(backup.peakBytes).toBeLessThan(limitBytes);
  expect(restore.peakBytes).toBeLessThan(limitBytes);
  await rm(lab, { recursive: true });
});
