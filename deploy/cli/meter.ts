import type { Progress } from "../../shared/run/report.ts";
import { formatBytes, formatDuration } from "./format.ts";

const windowMs = 10_000;

/** The rate of a phase over its last seconds, by the times that the run gave its lines. */
export class Meter {
  #phase = "";
  #samples: { atMs: number; doneBytes: number }[] = [];

  /** @returns Bytes a second; undefined until there is something to compare. */
  add({ phase, at, doneBytes }: Progress): number | undefined {
    if (phase !== this.#phase || doneBytes === undefined || doneBytes < (this.#samples.at(-1)?.doneBytes ?? 0)) {
      this.#phase = phase;
      this.#samples = [];
    }
    if (doneBytes === undefined) return undefined;
    const atMs = Date.parse(at);
    this.#samples.push({ atMs, doneBytes });
    while (this.#samples.length > 2 && atMs - (this.#samples[0]?.atMs ?? atMs) > windowMs) this.#samples.shift();
    const [first] = this.#samples;
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
