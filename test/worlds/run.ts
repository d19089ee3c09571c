import type { Event } from "../../events/event.ts";
import type { Publisher } from "../../events/publisher.ts";
import { loadAppTypes } from "../../functions/types.ts";
import { loadConfig } from "../../shared/config.ts";
import { createLog } from "../../shared/log.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import type { Outcome, RunLine } from "../../shared/run/report.ts";
import { carryOut, type RunnerOptions } from "../../shared/run/runner.ts";

export interface Carried {
  readonly outcome: Outcome;
  readonly lines: readonly RunLine[];
  readonly told: readonly Event[];
  readonly runId: string;
  readonly steps: readonly string[];
}

let count = 0;

/** Carries out one run in this process, as the runner does, and tells everything that it told. */
export async function carry(
  configPath: string,
  app: string,
  request: RunRequest,
  options: Partial<Pick<RunnerOptions, "signal" | "now" | "onStep" | "publisher">> & {
    authorised?: true;
    runId?: string;
  } = {},
): Promise<Carried> {
  count += 1;
  const { runId = `test-${app}-${process.pid}-${count}` } = options;
  const lines: RunLine[] = [];
  const told: Event[] = [];
  const steps: string[] = [];
  const publisher: Publisher = options.publisher ?? { publish: async (event) => void told.push(event) };
  const outcome = await carryOut(
    {
      id: runId,
      function: `backup-${app}`,
      app,
      request: { ...request, app } as RunRequest,
      startedBy: "a test",
      startedAt: new Date(options.now?.() ?? Date.now()).toISOString(),
      ...(options.authorised && { authorised: options.authorised }),
    },
    {
      config: await loadConfig(configPath, await loadAppTypes()),
      publisher,
      tell: (line) => void lines.push(line),
      signal: options.signal ?? new AbortController().signal,
      log: createLog("test", "silent"),
      ...(options.now && { now: options.now }),
      onStep: async (what) => {
        steps.push(what);
        await options.onStep?.(what);
      },
    },
  );
  return { outcome, lines, told, runId, steps };
}
