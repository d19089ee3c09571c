import type { AppConfig } from "../config.ts";
import { failures } from "../failures.ts";
import type { Ended } from "./app-run.ts";
import type { RunDescription } from "./description.ts";
import type { Outcome } from "./report.ts";

/** How a run ended, for everybody who wants to know: what was asked for, what came of it, and what was noticed. */
export function outcomeOf(
  run: RunDescription,
  app: AppConfig | undefined,
  { state: _, ...result }: Ended,
  { now, warnings, mended }: { now: () => number; warnings: string[]; mended: string[] },
): Outcome {
  const { failure, ...rest } = result;
  return {
    type: "outcome",
    runId: run.id,
    function: run.function,
    app: run.app,
    title: app?.type.title ?? run.app,
    operation: run.request.operation,
    startedAt: run.startedAt,
    startedBy: run.startedBy,
    finishedAt: new Date(now()).toISOString(),
    durationMs: Math.max(0, now() - Date.parse(run.startedAt)),
    ...rest,
    ...(failure && {
      failure: {
        code: failure.code,
        message: failure.message,
        ...(failure.hint !== undefined && { hint: failure.hint }),
        retryable: failures[failure.code].retryable,
      },
    }),
    ...(mended.length > 0 && { mended }),
    warnings,
  };
}
