import { type Lane, laneOf, type RunDescription } from "../run/description.ts";
import type { RunLine } from "../run/report.ts";
import type { FoundRun, Runs } from "../run/runs.ts";

/** For tests: runs that nobody carries out. They tell what the test lets them tell, and end when it says so. */
export class MemoryRuns implements Runs {
  readonly started: RunDescription[] = [];
  readonly cancelled: string[] = [];
  /** What a run tells as soon as it was started. */
  onStart: (run: RunDescription) => RunLine[] = () => [];
  readonly #lines = new Map<string, RunLine[]>();
  #told = Promise.withResolvers<void>();

  tell(id: string, ...lines: RunLine[]): void {
    this.#lines.get(id)?.push(...lines);
    this.#told.resolve();
    this.#told = Promise.withResolvers();
  }

  async start(run: RunDescription): Promise<boolean> {
    if (this.#lines.has(run.id)) return false;
    this.#lines.set(run.id, []);
    this.started.push(run);
    this.tell(run.id, ...this.onStart(run));
    return true;
  }

  async find(id: string): Promise<FoundRun | undefined> {
    const run = this.started.find((candidate) => candidate.id === id);
    const lines = this.#lines.get(id) ?? [];
    const progress = lines.findLast((line) => line.type === "progress");
    const outcome = lines.find((line) => line.type === "outcome");
    return run && { run, ...(progress && { progress }), ...(outcome && { outcome }) };
  }

  async active(app: string, lane: Lane): Promise<RunDescription | undefined> {
    for (const run of this.started) {
      const isOfLane = run.app === app && laneOf(run.request.operation) === lane;
      if (isOfLane && !(await this.find(run.id))?.outcome) return run;
    }
    return undefined;
  }

  async *follow(id: string, { after = 0, signal }: { after?: number; signal: AbortSignal }) {
    const aborted = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => aborted.resolve());
    for (let number = after; !signal.aborted; ) {
      const line = this.#lines.get(id)?.[number];
      if (line) {
        number += 1;
        yield { number, line };
        if (line.type === "outcome") return;
      } else if ((await this.find(id))?.outcome) return;
      else await Promise.race([this.#told.promise, aborted.promise]);
    }
  }

  async cancel(id: string): Promise<boolean> {
    this.cancelled.push(id);
    return !(await this.find(id))?.outcome;
  }
}
