import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { runnerOptions } from "../../functions/function.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import { Outcome } from "../../shared/run/report.ts";

const exec = promisify(execFile);

/** What a runner may take, whatever the size of the data. */
export const limitBytes = 150e6;

/** The data's size, as MEMORY_MB says: by itself more than a runner may take, so that who holds all of it is found. */
export const sizeMiB = Number(process.env.MEMORY_MB || 192);

/** Carries out one run in a process of its own and tells the peak of its resident memory. */
export async function runMeasured(
  configPath: string,
  app: string,
  request: RunRequest,
): Promise<{ outcome: Outcome; peakBytes: number }> {
  const folder = await mkdtemp(join(tmpdir(), "keepsake-measured-"));
  const [runPath, peakPath] = [join(folder, "run.json"), join(folder, "peak")];
  const run = {
    id: `memory-${app}`,
    function: `backup-${app}`,
    app,
    request: { ...request, app },
    startedBy: "a test",
  };
  await writeFile(runPath, JSON.stringify({ ...run, startedAt: new Date().toISOString() }));
  const { stdout } = await exec(
    process.execPath,
    [...runnerOptions, join(import.meta.dirname, "measured-runner.ts"), peakPath, configPath, runPath],
    { maxBuffer: 64 << 20 },
  ).catch((error: { stdout: string }) => error);
  const outcome = Outcome.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
  const peakBytes = Number(await readFile(peakPath, "utf8"));
  await rm(folder, { recursive: true });
  return { outcome, peakBytes };
}
