import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";

export interface Ended {
  /** From the start of the process to its end. */
  readonly seconds: number;
  /** The most memory that the process itself held, in bytes; 0 when nobody asked, or on another system than Linux. */
  readonly peakBytes: number;
}

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly stdout?: FileHandle;
  readonly stderr?: FileHandle;
  readonly watchMemory?: boolean;
  /** Exit statuses that are no failure. */
  readonly statuses?: readonly number[];
}

/** Runs a command and takes its time. @throws {Error} When it fails, with what it said. */
export function run(program: string, args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  const { env, cwd, stdout, stderr, watchMemory = false, statuses = [0] } = options;
  return new Promise((resolve, reject) => {
    const startedMs = performance.now();
    const child = spawn(program, [...args], {
      stdio: ["ignore", stdout?.fd ?? "ignore", stderr?.fd ?? "pipe"],
      ...(env && { env: { ...process.env, ...env } }),
      ...(cwd && { cwd }),
    });
    let peakBytes = 0;
    const watch = watchMemory ? setInterval(() => (peakBytes = Math.max(peakBytes, peakOf(child.pid))), 5) : undefined;
    let said = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-2000);
    });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      const seconds = (performance.now() - startedMs) / 1000;
      clearInterval(watch);
      if (code !== null && statuses.includes(code)) resolve({ seconds, peakBytes });
      else reject(new Error(`Cannot run "${program} ${args.join(" ")}": ${signal ?? `status ${code}`}\n${said}`));
    });
  });
}

/** A line for `sh`; what any part of a pipe fails with fails the line. */
export const shell = (line: string, options: CommandOptions = {}): Promise<Ended> =>
  run("bash", ["-c", `set -euo pipefail; ${line}`], options);

/** The high-water mark of a process's resident memory: proc_pid_status(5), VmHWM. */
function peakOf(pid: number | undefined): number {
  try {
    const text = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmHWM:\s*(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** A word for `sh`. */
export const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
