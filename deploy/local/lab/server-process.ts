import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseJson } from "../../../shared/json.ts";
import { ownIdentity, ProcessIdentity, stateOf } from "../../../shared/run/process-identity.ts";

/** A server of the home lab, as a process of its own. */
export interface ServerProcess {
  /** The folder of its pid and log. */
  readonly state: string;
  /** Serves until `stop` is aborted. Calls `isReady` once it can be used; what that is given is kept beside its pid. */
  run(isReady: (more?: object) => Promise<void>, stop: AbortSignal): Promise<void>;
  /** Makes it end; SIGTERM when absent. */
  readonly stopSignal?: "SIGINT";
}

const waitMs = 30_000;

/**
 * Carries out a command of such a server's program, which takes it as the first argument: `start` returns when it can
 * be used, `stop` when it is gone, `run` is the server itself. The first three are made for the settings' `workload`.
 * @returns The exit status; of `status`: 0 runs, 1 does not; of what is no command: 2.
 */
export async function control(command: string, { state, run, stopSignal }: ServerProcess): Promise<number> {
  const pidFile = join(state, "server.json");
  const logFile = join(state, "server.log");

  async function running(): Promise<ProcessIdentity | undefined> {
    // Empty while it is being written.
    const server = ProcessIdentity.safeParse(parseJson(await readFile(pidFile, "utf8").catch(() => "")));
    return server.success && (await stateOf(server.data)) === "alive" ? server.data : undefined;
  }

  async function start(): Promise<number> {
    if (await running()) return 0;
    await mkdir(state, { recursive: true });
    await rm(pidFile, { force: true });
    const log = await open(logFile, "a");
    const child = spawn(process.execPath, [process.argv[1] as string, "run", ...process.argv.slice(3)], {
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
    });
    await log.close();
    let ended = false;
    child.on("exit", () => {
      ended = true;
    });
    for (const since = Date.now(); Date.now() - since < waitMs && !ended; await delay(20)) {
      if (!existsSync(pidFile) || !(await running())) continue;
      child.unref();
      return 0;
    }
    console.error(`Cannot start the server; the end of its log:\n${(await readFile(logFile, "utf8")).slice(-1000)}`);
    if (!ended) child.kill("SIGKILL");
    return 1;
  }

  async function stop(): Promise<number> {
    const server = await running();
    if (!server) return 0;
    process.kill(server.pid, stopSignal ?? "SIGTERM");
    for (const since = Date.now(); Date.now() - since < waitMs; await delay(20)) {
      if (!(await running())) return 0;
    }
    console.error(`Cannot stop the server: process ${server.pid} is still there after ${waitMs / 1000} s`);
    return 1;
  }

  async function serve(): Promise<number> {
    await mkdir(state, { recursive: true });
    const stopping = new AbortController();
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopping.abort());
    const isReady = async (more?: object) => writeFile(pidFile, JSON.stringify({ ...(await ownIdentity()), ...more }));
    await run(isReady, stopping.signal);
    await rm(pidFile);
    console.log("Goodbye");
    return 0;
  }

  switch (command) {
    case "start":
      return start();
    case "stop":
      return stop();
    case "status":
      return (await running()) ? 0 : 1;
    case "run":
      return serve();
    default:
      return 2;
  }
}

/** Resolves when it is aborted. A signal's listener alone keeps no process alive. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  const rest = setInterval(() => {}, 1 << 30);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  clearInterval(rest);
}
