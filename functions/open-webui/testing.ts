import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import type { RunContext, Stage, VerifyOptions } from "../../shared/app.ts";
import { Disk } from "../../shared/disk.ts";
import { createStep } from "../../shared/step.ts";
import { describeRun, silentLog, tempFolder, testDisk } from "../../shared/testing.ts";
import { Settings } from "./app.ts";

/* What the tests of this folder share. */

/** A run's context over real files; `warnings` and `steps` tell what it saw. */
export async function testContext(
  settings: unknown,
  { onStep, runId = "run-1" }: { onStep?: (what: string) => void; runId?: string } = {},
) {
  const [warnings, steps]: [string[], string[]] = [[], []];
  const step = createStep({
    onStep: (what) => {
      steps.push(what);
      onStep?.(what);
    },
  });
  const folder = await tempFolder();
  const ctx: RunContext<Settings> = {
    app: { name: "open-webui", type: "open-webui", title: "Open WebUI" },
    settings: Settings.parse(settings),
    run: describeRun({ id: runId, app: "open-webui", function: "backup-open-webui" }),
    disk: new Disk(step),
    step,
    log: silentLog,
    signal: new AbortController().signal,
    now: Date.now,
    scratch: async () => {
      await mkdir(join(folder, "scratch"), { recursive: true });
      return join(folder, "scratch");
    },
    canStop: false,
    pointsOf: async () => [],
    allows: () => false,
    progress: () => {},
    warn: (message) => void warnings.push(message),
  };
  return { ctx, warnings, steps };
}

/** Writes into a folder as the core does; a second write of a kind takes the place of the first. */
export function folderStage(folder: string, untouched: ReadonlySet<string> = new Set()): Stage {
  const disk = testDisk();
  return {
    untouched,
    write: async (kind, bytes) => {
      await disk.remove(join(folder, kind));
      return disk.write(join(folder, kind), bytes);
    },
  };
}

export async function proving(): Promise<VerifyOptions> {
  const folder = await tempFolder();
  return { scratch: async () => folder, disk: testDisk() };
}

/** Writes over bytes of a file. */
export async function overwrite(path: string, offset: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "r+");
  await file.write(bytes, 0, bytes.length, offset);
  await file.close();
}
