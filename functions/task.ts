import type { Config } from "../shared/config.ts";
import { readFile } from "../shared/files.ts";
import { RunDescription } from "../shared/run/description.ts";
import { loadKeptConfig } from "./kept-config.ts";
import { loadAppTypes } from "./types.ts";

/**
 * What a process of a run has to do, and with which settings: by its arguments, else by its environment.
 * @param kept Where what was read before is kept, if it is.
 */
export async function readTask(
  configPath = process.env.KEEPSAKE_CONFIG,
  runPath?: string,
  kept?: string,
): Promise<[config: Config, run: RunDescription]> {
  const text = runPath === undefined ? process.env.KEEPSAKE_RUN : await readFile(runPath, "utf8");
  if (!configPath || !text) throw new Error("Usage: node functions/run.ts <keepsake.yaml> <run.json>");
  return [await loadKeptConfig(configPath, await loadAppTypes(), kept), RunDescription.parse(JSON.parse(text))];
}
