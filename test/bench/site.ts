import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { runnerCommand } from "../../functions/function.ts";
import { Disk } from "../../shared/disk.ts";
import { initNas } from "../../shared/nas/nas.ts";
import type { RunDescription, RunRequest } from "../../shared/run/description.ts";
import { Outcome } from "../../shared/run/report.ts";
import { createStep } from "../../shared/step.ts";
import { type Ended, run } from "./command.ts";

export interface SiteRun extends Ended {
  readonly outcome: Outcome;
}

/** A site with one app: a marked NAS, settings, and runs as a function starts them. */
export class Site {
  readonly app: string;
  readonly nas: string;
  readonly state: string;
  readonly #folder: string;
  readonly #compileCache: string;
  #runs = 0;

  private constructor(folder: string, app: string, compileCache: string) {
    this.#folder = folder;
    this.app = app;
    this.#compileCache = compileCache;
    this.nas = join(folder, "nas");
    this.state = join(folder, "state");
  }

  get config(): string {
    return join(this.#folder, "keepsake.yaml");
  }

  static async lay(folder: string, app: string, settings: Record<string, unknown>): Promise<Site> {
    // What Node has compiled stays from run to run, as it does in a site that is not new.
    const site = new Site(folder, app, join(folder, "../compile-cache"));
    await mkdir(folder, { recursive: true });
    await writeFile(site.config, stringify({ nas: "./nas", state: "./state", apps: { [app]: settings } }));
    await site.clear();
    return site;
  }

  /** As new: nothing was ever backed up. */
  async clear(): Promise<void> {
    await rm(this.nas, { recursive: true, force: true });
    await rm(this.state, { recursive: true, force: true });
    await mkdir(this.nas, { recursive: true });
    await initNas(this.nas, new Disk(createStep()));
  }

  /**
   * One run in a process of its own, as `localRuns` starts it, from the start of the process to its end.
   * @param through A command that runs the runner: strace.
   * @throws {Error} When it ends in another way than it should.
   */
  async run(request: RunRequest, expected: Outcome["outcome"], through: readonly string[] = []): Promise<SiteRun> {
    this.#runs += 1;
    const id = `bench-${this.app}-${this.#runs}-${process.pid}`;
    const folder = join(this.state, "runs", id);
    await mkdir(folder, { recursive: true });
    await mkdir(join(this.state, "open-runs"), { recursive: true });
    await writeFile(join(this.state, "open-runs", id), "");
    const description: RunDescription = {
      id,
      function: `${request.operation === "restore" ? "restore" : "backup"}-${this.app}`,
      app: this.app,
      request: { ...request, app: this.app } as RunRequest,
      startedBy: "the benchmark",
      startedAt: new Date().toISOString(),
    };
    await writeFile(join(folder, "run.json"), JSON.stringify(description));
    const [program, ...args] = [...through, ...(await runnerCommand(this.config)), join(folder, "run.json")];
    const stdout = await open(join(folder, "output.ndjson"), "w");
    const stderr = await open(join(folder, "log.ndjson"), "w");
    try {
      const env = { NODE_COMPILE_CACHE: this.#compileCache };
      const ended = await run(program as string, args, {
        stdout,
        stderr,
        env,
        watchMemory: through.length === 0,
        statuses: [0, 1],
      });
      const lines = (await readFile(join(folder, "output.ndjson"), "utf8")).trim().split("\n");
      const outcome = Outcome.parse(JSON.parse(lines.at(-1) ?? ""));
      if (outcome.outcome !== expected) {
        throw new Error(
          `Cannot measure ${this.app}: "${expected}" is wanted, is "${outcome.outcome}": ${outcome.message}`,
        );
      }
      return { ...ended, outcome };
    } finally {
      await stdout.close();
      await stderr.close();
    }
  }

  backUp(expected: "created" | "unchanged" = "created"): Promise<SiteRun> {
    return this.run({ operation: "backup", allow: [] }, expected);
  }
}
