import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { AppConfig } from "../config.ts";
import type { Disk } from "../disk.ts";
import { Failure } from "../failures.ts";
import { readFile } from "../files.ts";
import { parseJson } from "../json.ts";
import type { Step } from "../step.ts";

/** The app's server: stopped before its data is replaced, and always brought back as it was. */
export interface Workload {
  /** The run that stopped it and has not brought it back; undefined when nothing is left to do. */
  stoppedBy(): Promise<string | undefined>;
  /**
   * Remembers how it was, stops it, and waits until it is gone. A second stop remembers the first one's state.
   * @param signal Ends the wait; without one it is seen through, as by a run that puts everything back.
   */
  stop(runId: string, signal?: AbortSignal): Promise<void>;
  /** Puts it back as it was before the first stop, and waits until it is ready. What it was stays remembered. */
  start(): Promise<void>;
  /** Forgets what it was: nothing is left to do. */
  release(): Promise<void>;
  /**
   * To be asked before each change while it is stopped; costs nothing.
   * @throws {Failure} `workload_failed` when somebody else has started it meanwhile.
   */
  fence?(): void;
}

/** That of an app with nothing to stop. */
export const noWorkload: Workload = {
  stoppedBy: async () => undefined,
  stop: async () => {},
  start: async () => {},
  release: async () => {},
};

const Mark = z.object({ runId: z.string(), wasRunning: z.boolean() });

/**
 * A server that is stopped and started by command lines of the settings. What it was before is kept in a mark beside
 * this machine's state, written before the stop.
 * @param markPath Where the mark is, in a folder of its own.
 */
export function commandWorkload(options: {
  app: string;
  commands: AppConfig["common"]["workload"];
  markPath: string;
  disk: Disk;
  step: Step;
}): Workload {
  const { app, commands, markPath, disk, step } = options;
  if (!commands) return noWorkload;
  const readMark = async () => {
    const text = await readFile(markPath, "utf8").catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === "ENOENT") return "";
      throw new Failure("workload_failed", `Cannot tell whether "${app}" was stopped by Keepsake: ${cause.message}`, {
        cause,
        hint: "Is Keepsake run as the user that it was run as before?",
      });
    });
    const parsed = Mark.safeParse(parseJson(text));
    return parsed.success ? parsed.data : undefined;
  };
  const timeoutMs = commands.timeoutSeconds * 1000;
  const running = async () => (await runLine(commands.status, timeoutMs)).code === 0;
  const waitUntil = async (wanted: boolean) => {
    const deadline = performance.now() + timeoutMs;
    while ((await running()) !== wanted) {
      if (performance.now() > deadline) {
        throw new Failure(
          "workload_failed",
          `Cannot ${wanted ? "start" : "stop"} "${app}": it is ${wanted ? "not ready" : "still running"} after ${commands.timeoutSeconds} s`,
          { hint: `See what this prints: ${commands.status}` },
        );
      }
      await delay(100);
    }
  };
  const change = async (line: string, verb: string) => {
    const { code, stderr } = await step(`${verb} ${app}`, () => runLine(line, timeoutMs));
    if (code === 0) return;
    throw new Failure(
      "workload_failed",
      `Cannot ${verb} "${app}": exit status 0 is wanted, is ${code}${stderr && `: ${stderr}`}`,
      {
        hint: `Try it yourself: ${line}`,
      },
    );
  };
  return {
    stoppedBy: async () => (await readMark())?.runId,
    async stop(runId) {
      const wasRunning = (await readMark())?.wasRunning ?? (await running());
      await disk.makeDir(dirname(markPath));
      await disk.replace(markPath, JSON.stringify({ runId, wasRunning }));
      if (await running()) await change(commands.stop, "stop");
      await waitUntil(false);
    },
    async start() {
      if (!(await readMark())?.wasRunning) return;
      if (!(await running())) await change(commands.start, "start");
      await waitUntil(true);
    },
    // With whatever a crash has left beside it.
    release: () => disk.removeTree(dirname(markPath)),
  };
}

/**
 * Runs a line of the user's own settings with `sh -c`; what it starts may go on after it.
 * @throws {Failure} `workload_failed` when the line has not ended in time; it is killed then, with all that it started.
 */
function runLine(line: string, timeoutMs: number): Promise<{ code: number; stderr: string }> {
  return new Promise((resolve, reject) => {
    // Not "pipe" for stdout: a server that the line starts would hold the pipe open.
    const child = spawn("sh", ["-c", line], { stdio: ["ignore", "ignore", "pipe"], detached: true });
    const timer = setTimeout(() => {
      process.kill(-(child.pid as number), "SIGKILL");
      reject(
        new Failure(
          "workload_failed",
          `Cannot run "${line}": an end within ${timeoutMs / 1000} s is wanted, is still going`,
          { hint: "A line that starts a server has to leave it in the background." },
        ),
      );
    }, timeoutMs);
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-2000);
    });
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("exit", (code) => {
      clearTimeout(timer);
      // What it printed last may still be in the pipe, whose end may never come.
      setImmediate(() => {
        child.stderr.destroy();
        resolve({ code: code ?? 128, stderr: stderr.trim() });
      });
    });
  });
}
