import { type Config, loadConfig } from "../shared/config.ts";
import { readFile } from "../shared/files.ts";
import { RunDescription } from "../shared/run/description.ts";
import { loadAppTypes } from "./types.ts";

/** What a process of a run has to do, and with which settings: by its arguments, else by its environment. */
export async function readTask(
  configPath = process.env.KEEPSAKE_CONFIG,
  runPath?: string,
): Promise<[config: Config, run: RunDescription]> {
  const text = runPath === undefined ? process.env.KEEPSAKE_RUN : await readFile(runPath, "utf8");
  if (!configPath || !text) throw new Error("Usage: node functions/run.ts <keepsake.yaml> <run.json>");
  return [await loadConfig(configPath, await loadAppTypes()), RunDescription.parse(JSON.parse(text))];
}
