import type { AppView, Progress, RunView, StateView } from "../run/report.ts";

/* Readable lines for whoever does not ask for JSON: curl, faas-cli invoke, a browser's address bar. */

export function runText(run: RunView): string {
  if (run.runs)
    return run.runs
      .map(({ app, status, outcome }) => (outcome ? outcomeText(outcome) : `${app}: ${status}\n`))
      .join("");
  if (run.outcome) return outcomeText(run.outcome);
  const progress = run.progress ? `, ${progressText(run.progress)}` : "";
  return `${run.operation} of ${run.app ?? "all apps"} is running since ${run.startedAt}, started by ${run.startedBy}${progress}\nRun ${run.id}\n`;
}

function outcomeText(outcome: NonNullable<RunView["outcome"]>): string {
  const seconds = (outcome.durationMs / 1000).toFixed(1);
  const files = (outcome.point?.files ?? []).map(
    ({ name, sizeBytes, sha256 }) => `  ${name}  ${sizeBytes} bytes  sha256 ${sha256}\n`,
  );
  const notes = [...(outcome.mended ?? []), ...outcome.warnings].map((text) => `  Note: ${text}\n`);
  const { hint: remedy } = outcome.failure ?? outcome.drill?.hindrance ?? {};
  const hint = remedy ? `  ${remedy}\n` : "";
  return `${outcome.app}: ${outcome.outcome} in ${seconds} s. ${outcome.message}\n${files.join("")}${notes.join("")}${hint}`;
}

function progressText({ phase, doneBytes, totalBytes }: Progress): string {
  if (doneBytes === undefined) return phase;
  if (totalBytes === undefined || totalBytes === 0) return `${phase} ${doneBytes} bytes`;
  return `${phase} ${Math.floor((100 * doneBytes) / totalBytes)} % of ${totalBytes} bytes`;
}

export const stateText = (state: StateView) => state.apps.map(appText).join("\n");

function appText({ app, points, lastOutcome, running, checking = [], waiting, pausedUntil }: AppView): string {
  const lines = [`${app}: ${points.length} restore points`];
  for (const { operation, startedAt, startedBy } of [...(running ? [running] : []), ...checking]) {
    lines.push(`  ${operation} is running since ${startedAt}, started by ${startedBy}`);
  }
  if (pausedUntil) lines.push(`  Paused until ${pausedUntil}: nothing runs by itself`);
  if (waiting) lines.push(`  Backups wait: ${waiting}`);
  if (lastOutcome)
    lines.push(
      `  Last run: ${lastOutcome.operation} ${lastOutcome.outcome} at ${lastOutcome.finishedAt}. ${lastOutcome.message}`,
    );
  for (const point of points) lines.push(pointText(point));
  return `${lines.join("\n")}\n`;
}

function pointText(point: AppView["points"][number]): string {
  const { id, takenAt, sizeBytes, verified, pinned, latest, scrubbedAt, proven, damaged } = point;
  return [
    `  ${id}`,
    takenAt,
    `${sizeBytes} bytes`,
    damaged ? `damaged: ${damaged.why}` : verified ? "verified" : "not verified",
    ...(pinned ? ["pinned"] : []),
    ...(latest ? ["latest"] : []),
    ...(scrubbedAt ? [`read back at ${scrubbedAt}`] : []),
    ...(proven ? [`proven restorable at ${proven.at}, in ${(proven.tookMs / 1000).toFixed(1)} s`] : []),
  ].join("  ");
}
