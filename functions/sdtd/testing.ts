import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { RunContext, Stage } from "../../shared/app.ts";
import { Disk } from "../../shared/disk.ts";
import { openReadBack, type ReadBack } from "../../shared/nas/read-back.ts";
import { createStep } from "../../shared/step.ts";
import { describeRun, silentLog, withoutPlaces } from "../../shared/testing.ts";
import { Settings } from "./app.ts";

/* What the tests of this folder share. */

export const played = { world: "West Wikibi Territory", game: "FoundationRWG" };

/** A run's context over real files; `warnings` and `steps` tell what it saw. */
export function testContext(settings: unknown, scratch: string) {
  const [warnings, steps]: [string[], string[]] = [[], []];
  const step = createStep({ onStep: (what) => void steps.push(what) });
  const ctx: RunContext<Settings> = {
    app: { name: "sdtd", type: "sdtd", title: "7 Days to Die" },
    settings: Settings.parse(settings),
    run: describeRun({ id: "run-1", app: "sdtd", function: "backup-sdtd" }),
    disk: new Disk(step),
    step,
    log: silentLog,
    signal: new AbortController().signal,
    now: Date.now,
    ...withoutPlaces,
    scratch: async () => {
      await mkdir(scratch, { recursive: true });
      return scratch;
    },
    allows: () => false,
    progress: () => {},
    warn: (message) => void warnings.push(message),
  };
  return { ctx, warnings, steps };
}

/** Writes into a folder as the core does; a second write of a kind takes the place of the first. */
export function folderStage(ctx: RunContext, folder: string, untouched: readonly string[] = []): Stage {
  return {
    untouched: new Set(untouched),
    write: async (kind, bytes) => {
      await ctx.disk.remove(join(folder, kind));
      return ctx.disk.write(join(folder, kind), bytes);
    },
  };
}

/** What was captured, to be read back; closed after the test. */
export async function staged(folder: string, ...kinds: string[]): Promise<Map<string, ReadBack>> {
  const files = new Map<string, ReadBack>();
  for (const kind of kinds) {
    const file = await openReadBack(join(folder, kind));
    onTestFinished(() => file.close());
    files.set(kind, file);
  }
  return files;
}
