import { formatAge } from "../../shared/words.ts";
import { ProblemError } from "./client.ts";
import { CliError } from "./exit.ts";

/**
 * A failure as lines for people: what, who is in the way, what to do.
 * @param about Stands before it: an app, a function.
 */
export function describeFailure(error: unknown, about = ""): string[] {
  if (!(error instanceof CliError)) return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  const lines = error.message ? [about ? `${about}  failed  ${error.message}` : error.message] : [];
  const running = error instanceof ProblemError ? error.problem.running : undefined;
  if (running) {
    const age = formatAge(Date.now() - Date.parse(running.startedAt));
    lines.push(`  in progress: ${running.operation}, started by ${running.startedBy}, ${age} ago (${running.runId})`);
  }
  if (error.hint) lines.push(...error.hint.split("\n").map((line) => `  ${line}`));
  else if (error instanceof ProblemError && error.problem.code === "unauthorized") {
    lines.push("  This needs the gateway's token: TOKEN_FILE=…");
  }
  return lines;
}
