import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { programPath } from "../programs.ts";
import type { OrderName, Orders, Said, Told } from "./orders.ts";

const boot = join(import.meta.dirname, "boot.sh");

export interface ClientOptions {
  name: string;
  /** Its end of the cable, and its address. */
  device: string;
  address: string;
  server: string;
  mountedAt: string;
  /** The network namespace in which the device is. */
  network: string;
  /** For what it keeps on this machine while it runs. */
  folder: string;
}

/** A Linux kernel of its own (user-mode-linux), with the export mounted, and one process. */
export class Client {
  readonly name: string;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<unknown>;
  readonly #lines: AsyncIterator<string>;
  #log = "";

  private constructor(name: string, child: ChildProcessWithoutNullStreams) {
    this.name = name;
    this.#process = child;
    this.#ended = once(child, "close");
    child.stderr.on("data", (text) => {
      this.#log += text;
    });
    child.stdin.on("error", () => {}); // told of by the answer that does not come
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  static start({ name, device, address, server, mountedAt, network, folder }: ClientOptions): Client {
    const program = [process.execPath, programPath("test/nfs/client-process.ts")];
    const kernel = [
      ...["mem=512M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", "quiet"],
      ...[`uml_dir=${folder}`, `eth0=tuntap,${device}`],
      // What the kernel says goes to standard error; the second console is the process's alone.
      ...["con=null", "con0=null,fd:2", "con1=fd:0,fd:1"],
      ...["PATH=/usr/sbin:/usr/bin:/sbin:/bin", `NODE_COMPILE_CACHE=${process.env.NODE_COMPILE_CACHE ?? ""}`],
      ...["init=/bin/sh", "--", boot, name, address, server, mountedAt, ...program],
    ];
    // All of it goes with this process, and with whoever it was started by.
    const around = ["--pdeathsig", "KILL", "nsenter", `--net=${network}`, "unshare", "--pid", "--fork", "--kill-child"];
    return new Client(name, spawn("setpriv", [...around, "linux.uml", ...kernel]));
  }

  /** Returns when it can be asked. */
  async ready(): Promise<void> {
    const said = await this.#next();
    if (!("ready" in said)) throw new Error(`Cannot begin: "ready" is wanted, the client said ${JSON.stringify(said)}`);
  }

  /**
   * @param whenPaused Is called with the step that a run waits before; it goes on afterwards.
   * @throws {Error} What went wrong there.
   */
  async ask<Name extends OrderName>(
    name: Name,
    order: Orders[Name]["order"],
    whenPaused?: (step: string) => Promise<void>,
  ): Promise<Orders[Name]["answer"]> {
    this.#tell({ name, order });
    for (;;) {
      const said = await this.#next();
      if ("answer" in said) return said.answer as Orders[Name]["answer"];
      if (!("paused" in said)) throw new Error(`The client failed to ${name}: ${JSON.stringify(said)}`);
      await whenPaused?.(said.paused);
      this.#tell({ goOn: true });
    }
  }

  /** The power goes: nothing that it has not sent arrives any more. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#ended;
  }

  #tell(told: Told): void {
    this.#process.stdin.write(`${JSON.stringify(told)}\n`);
  }

  async #next(): Promise<Said> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`The client is gone. Its kernel said:\n${this.#log}`);
    return JSON.parse(value);
  }
}
