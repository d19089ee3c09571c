import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { layLab, places } from "../worlds/open-webui.ts";
import { limitBytes, runMeasured, sizeMiB } from "./measure.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "keepsake-memory-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test(`a runner stays under 150 MB with a database of ${sizeMiB} MiB and uploads: backup and restore`, {
  timeout: 3_600_000,
}, async () => {
  const lab = join(folder, String(sizeMiB));
  // Eight times 32 KiB in each chat: its four messages, and once more in its own JSON.
  await layLab(lab, { chats: sizeMiB * 4, messageBytes: 1 << 15, files: 50, settings: { uploads: true } });
  expect((await stat(places(lab).database)).size).toBeGreaterThan(sizeMiB * 2 ** 20);
  const { config } = places(lab);
  const backup = await runMeasured(config, "open-webui", { operation: "backup", allow: [] });
  expect(backup.outcome.failure).toBeUndefined();
  const restore = await runMeasured(config, "open-webui", { operation: "restore", allow: [] });
  expect(restore.outcome.failure).toBeUndefined();
  const peaks = [backup, restore].map(({ peakBytes }) => Math.round(peakBytes / 1e6));
  console.log(`Open WebUI, ${sizeMiB} MiB: backup ${peaks[0]} MB, restore ${peaks[1]} MB`);
  expect(backup.peakBytes).toBeLessThan(limitBytes);
  expect(restore.peakBytes).toBeLessThan(limitBytes);
  await rm(lab, { recursive: true });
});
