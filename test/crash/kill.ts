import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunDescription, RunRequest } from "../../shared/run/description.ts";
import { Outcome } from "../../shared/run/report.ts";
import { programPath } from "../programs.ts";

export interface Killed {
  /** What the run was about to do, step by step, up to its death. */
  readonly steps: readonly string[];
  /** Undefined when it died before it told one. */
  readonly outcome?: Outcome;
  readonly signal: NodeJS.Signals | null;
  /** The runner's log, for the test's own failure message. */
  readonly log: string;
}

let calls = 0;

export function describeRun(app: string, request: RunRequest): RunDescription {
  calls += 1;
  return {
    id: `test-${app}-${calls}-${process.pid}`,
    function: `backup-${app}`,
    app,
    request: { ...request, app } as RunRequest,
    startedBy: "the crash suite",
    startedAt: new Date().toISOString(),
  };
}

/**
 * Runs a runner as a process of its own and kills it right before its step `killAt`; 0 lets it live.
 * @param program Of a place that is not this machine; see `killed-runner.ts`.
 */
export async function runKilled(
  statePath: string,
  configPath: string,
  run: RunDescription,
  killAt: number,
  program?: string,
): Promise<Killed> {
  return (await startRunner(statePath, configPath, run, { killAt, ...(program !== undefined && { program }) })).ended;
}

export interface Running {
  readonly process: ChildProcess;
  /** The steps that it has begun up to now. */
  steps(): Promise<string[]>;
  readonly ended: Promise<Killed>;
}

/** A runner as a process of its own, which may be killed right before its step `killAt`. */
export async function startRunner(
  statePath: string,
  configPath: string,
  run: RunDescription,
  {
    killAt = 0,
    program = programPath("test/crash/killed-runner.ts"),
    env = {},
  }: { killAt?: number; program?: string; env?: NodeJS.ProcessEnv },
): Promise<Running> {
  // As `localRuns` lays a run out, so that a later run knows of this one even when it died before it held the lock.
  const folder = join(statePath, "runs", run.id);
  const runPath = join(folder, "run.json");
  const stepsPath = join(folder, "steps.txt");
  await mkdir(folder, { recursive: true });
  await mkdir(join(statePath, "open-runs"), { recursive: true });
  await writeFile(join(statePath, "open-runs", run.id), "");
  await writeFile(runPath, JSON.stringify(run));
  await writeFile(stepsPath, "");
  const child = spawn(process.execPath, [program, String(killAt), stepsPath, configPath, runPath], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  let output = "";
  let log = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const steps = async () => (await readFile(stepsPath, "utf8")).split("\n").filter((line) => line !== "");
  const ended = async (): Promise<Killed> => {
    const signal = await new Promise<NodeJS.Signals | null>((resolve, reject) => {
      child.on("error", reject);
      // Not "close": what the run has started may hold the pipes open.
      child.on("exit", (_, name) => setImmediate(() => resolve(name)));
    });
    const last = output.trim().split("\n").at(-1);
    const outcome = last ? Outcome.safeParse(JSON.parse(last)) : undefined;
    return { steps: await steps(), ...(outcome?.success && { outcome: outcome.data }), signal, log };
  };
  return { process: child, steps, ended: ended() };
}

/** Set by `make test-crash`. */
export const killsAtAll = process.env.KILL_POINTS === "all";

/**
 * Which steps a suite kills at: all of them with KILL_POINTS=all, else the first, the last and an even spread; the one
 * in the middle for a sample of one.
 * @param count Steps of the run that was not killed.
 */
export function killPoints(count: number, sample: number): number[] {
  const all = Array.from({ length: count }, (_, index) => index + 1);
  if (killsAtAll || count <= sample) return all;
  if (sample === 1) return [Math.ceil(count / 2)];
  return [
    ...new Set(Array.from({ length: sample }, (_, index) => 1 + Math.round((index * (count - 1)) / (sample - 1)))),
  ];
}
