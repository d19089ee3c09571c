import { pino } from "pino";
import type { RunContext } from "../../shared/app.ts";
import { Disk } from "../../shared/disk.ts";
import type { RestorePoint } from "../../shared/nas/points.ts";
import { createStep } from "../../shared/step.ts";
import { tempFolder, withoutPlaces } from "../../shared/testing.ts";
import { Settings } from "./app.ts";

/* What the tests of this folder share. */

/** A run's context over real files; `warnings` and `steps` tell what it saw. */
export function testContext(
  settings: unknown,
  { points = [], runId = "run-1" }: { points?: RestorePoint[]; runId?: string } = {},
) {
  const [warnings, steps]: [string[], string[]] = [[], []];
  const step = createStep({ onStep: (what) => void steps.push(what) });
  const cancel = new AbortController();
  const ctx: RunContext<Settings> = {
    app: { name: "mapshot", type: "mapshot", title: "Mapshot" },
    settings: Settings.parse(settings),
    run: {
      id: runId,
      function: "render-mapshot",
      app: "mapshot",
      request: { operation: "backup", allow: [] },
      startedBy: "test",
      startedAt: "2025-12-19T18:00:00Z",
    },
    disk: new Disk(step),
    step,
    log: pino({ level: "silent" }),
    signal: cancel.signal,
    now: Date.now,
    ...withoutPlaces,
    scratch: tempFolder,
    pointsOf: async () => points,
    allows: () => false,
    progress: () => {},
    warn: (message) => void warnings.push(message),
  };
  return { ctx, warnings, steps, cancel };
}
