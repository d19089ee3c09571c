import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Program } from "./programs.ts";

/** Runs the programs of a cluster, kills them and starts them again as it is told; none is started by itself. */
export class Supervisor<Name extends string> {
  readonly #programs: Record<Name, Program>;
  readonly #running = new Map<Name, ChildProcess>();
  readonly #logs: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(programs: Record<Name, Program>, options: { logs: string; env: NodeJS.ProcessEnv }) {
    this.#programs = programs;
    this.#logs = options.logs;
    this.#env = options.env;
  }

  /**
   * Returns when the program is at work. One that runs already is only waited for.
   * @throws {Error} When it ends instead, or is not ready in a minute.
   */
  async start(name: Name): Promise<void> {
    const { command, args, isReady } = this.#programs[name];
    if (!this.#running.has(name)) {
      const log = openSync(join(this.#logs, `${name}.log`), "a");
      const child = spawn(command, args, { env: this.#env, stdio: ["ignore", log, log] });
      closeSync(log);
      this.#running.set(name, child);
      child.once("exit", () => this.#running.delete(name)).once("error", () => this.#running.delete(name));
    }
    for (const end = Date.now() + 60_000; !(await isReady()); await delay(50)) {
      if (!this.#running.has(name)) throw new Error(`Cannot start ${name}: it ended at once, its log tells why`);
      if (Date.now() > end) throw new Error(`Cannot start ${name}: it was not ready within a minute`);
    }
  }

  /** SIGKILL; returns when it has ended. One that does not run is none. */
  async kill(name: Name): Promise<void> {
    const child = this.#running.get(name);
    if (!child) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }
}
