import type { Progress } from "../../shared/run/report.ts";
import { formatBytes, formatDuration } from "../../shared/words.ts";

const windowMs = 10_000;

/** The rate of each phase over its last seconds, by the times that the run gave its lines. Phases may take turns. */
export class Meter {
  readonly #phases = new Map<string, { atMs: number; doneBytes: number }[]>();

  /** @returns Bytes a second; undefined until there is something to compare. */
  add({ phase, at, doneBytes }: Progress): number | undefined {
    if (doneBytes === undefined) return undefined;
    const known = this.#phases.get(phase) ?? [];
    // A count that falls is another file's.
    const samples = doneBytes < (known.at(-1)?.doneBytes ?? 0) ? [] : known;
    this.#phases.set(phase, samples);
    const atMs = Date.parse(at);
    samples.push({ atMs, doneBytes });
    while (samples.length > 2 && atMs - (samples[0]?.atMs ?? atMs) > windowMs) samples.shift();
    const [first] = samples;
    if (!first || atMs <= first.atMs) return undefined;
    return ((doneBytes - first.doneBytes) / (atMs - first.atMs)) * 1000;
  }
}

/** "copying  45 %  2.1 MB of 4.7 MB  12 MB/s  3 s left" */
export function describeProgress({ phase, doneBytes, totalBytes }: Progress, bytesPerSecond?: number): string {
  if (doneBytes === undefined) return phase;
  const known = totalBytes !== undefined && totalBytes > 0;
  const parts = [
    phase,
    known ? `${Math.floor(shareOf(doneBytes, totalBytes) * 100)} %` : "",
    known ? `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}` : formatBytes(doneBytes),
    bytesPerSecond ? `${formatBytes(bytesPerSecond)}/s` : "",
    known && bytesPerSecond && totalBytes > doneBytes
      ? `${formatDuration(Math.max(1000, ((totalBytes - doneBytes) / bytesPerSecond) * 1000))} left`
      : "",
  ];
  return parts.filter(Boolean).join("  ");
}

/** "[#####---------------]"; empty without a total. */
export function drawBar({ doneBytes, totalBytes }: Progress, width = 20): string {
  if (doneBytes === undefined || !totalBytes) return "";
  const full = Math.round(shareOf(doneBytes, totalBytes) * width);
  return `[${"#".repeat(full)}${"-".repeat(width - full)}]`;
}

const shareOf = (done: number, total: number) => Math.min(1, Math.max(0, done / total));
