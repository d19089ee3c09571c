import { setTimeout as sleep } from "node:timers/promises";
import { type Progress, RunLine, RunView } from "../../shared/run/report.ts";
import { type Client, HttpError, ProblemError } from "./client.ts";
import { CliError, exits } from "./exit.ts";

export interface Following {
  onProgress(progress: Progress): void;
  /** Nobody has answered for so long; the run goes on, and so do the tries. */
  onSilence?(ms: number): void;
  /** Ends the following, not the run. */
  signal: AbortSignal;
}

/**
 * Follows a run to its end. A connection that is cut, by a gateway's timeout or its restart, is opened again after
 * the last line that arrived; nobody notices. Before each opening the run itself is asked, so that a proxy that
 * holds streams back costs only the progress.
 *
 * @returns The run as it ended, with its outcome; warnings are part of that.
 * @throws {CliError} When nobody has answered for `giveUpMs`, or the run is not known; the signal's reason.
 */
export async function followRun(client: Client, fn: string, run: RunView, following: Following): Promise<RunView> {
  const { signal } = following;
  let view = run;
  let after = "";
  let heardAtMs = Date.now();
  for (let tries = 1; view.status === "running"; tries++) {
    try {
      for await (const event of client.events(fn, run.id, after, signal)) {
        heardAtMs = Date.now();
        tries = 1;
        if (event.id) after = event.id;
        if (event.event === "end") return RunView.parse(JSON.parse(event.data));
        // A newer runner may tell more than this client knows.
        const line = RunLine.safeParse(JSON.parse(event.data));
        if (line.success && line.data.type === "progress") following.onProgress(line.data);
      }
    } catch (error) {
      signal.throwIfAborted();
      throwIfFinal(error);
    }
    await sleep(client.backOff(tries), undefined, { signal }).catch(() => signal.throwIfAborted());
    try {
      view = await client.run(fn, run.id, signal);
      heardAtMs = Date.now();
    } catch (error) {
      signal.throwIfAborted();
      throwIfFinal(error);
      const silentMs = Date.now() - heardAtMs;
      if (silentMs > client.timing.giveUpMs) throw error;
      following.onSilence?.(silentMs);
    }
  }
  return view;
}

/** Rethrows what will be no better at the next try: a refusal, or an answer that makes no sense. */
function throwIfFinal(error: unknown): void {
  if (!(error instanceof CliError) || error.exit !== exits.failed) return;
  if (error instanceof ProblemError && error.problem.retryable) return;
  if (error instanceof HttpError && (error.status >= 500 || error.status === 429 || error.status === 408)) return;
  throw error;
}
