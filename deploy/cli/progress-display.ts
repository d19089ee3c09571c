import type { Progress } from "../../shared/run/report.ts";
import { formatDuration } from "../../shared/words.ts";
import { describeProgress, drawBar, Meter } from "./meter.ts";
import type { Terminal } from "./terminal.ts";

const redrawMs = 100;
const lineMs = 10_000;

/** Shows how a run gets on: one line with a bar that is redrawn, or, without a terminal, a line now and then. */
export class ProgressDisplay {
  readonly #terminal: Terminal;
  readonly #label: string;
  readonly #now: () => number;
  readonly #meter = new Meter();
  #shownAtMs = Number.NEGATIVE_INFINITY;
  readonly #phases = new Set<string>();
  /** While the user is being asked. */
  paused = false;

  constructor(terminal: Terminal, label: string, now: () => number = Date.now) {
    this.#terminal = terminal;
    this.#label = label;
    this.#now = now;
  }

  show(progress: Progress): void {
    const rate = this.#meter.add(progress);
    const { interactive } = this.#terminal;
    // Phases may take turns, such as verifying and copying; only what is new is worth a line at once.
    const known = this.#phases.has(progress.phase);
    if (known && this.#now() - this.#shownAtMs < (interactive ? redrawMs : lineMs)) return;
    this.#phases.add(progress.phase);
    this.#shownAtMs = this.#now();
    // Without a terminal a phase's first line says that it began; how far it is comes later, if it takes long.
    const told = interactive || known ? describeProgress(progress, rate) : progress.phase;
    this.#put([this.#label, interactive ? drawBar(progress) : "", told]);
  }

  silence(ms: number): void {
    const { interactive } = this.#terminal;
    if (!interactive && this.#now() - this.#shownAtMs < lineMs) return;
    this.#shownAtMs = this.#now();
    this.#put([this.#label, `no answer from the gateway for ${formatDuration(ms)}; the run goes on, trying again`]);
  }

  clear(): void {
    this.#terminal.redraw(undefined);
  }

  #put(parts: string[]): void {
    if (this.paused) return;
    const line = parts.filter(Boolean).join("  ");
    if (this.#terminal.interactive) this.#terminal.redraw(line);
    else this.#terminal.err(line);
  }
}
