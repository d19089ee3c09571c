import { spawn } from "node:child_process";
import { mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../../../../shared/failures.ts";
import { parseJson } from "../../../../shared/json.ts";
import { identify, ProcessIdentity, stateOf } from "../../../../shared/run/process-identity.ts";
import { freePort } from "../free-port.ts";
import { findNatsServer } from "./find-nats-server.ts";

export interface NatsServer {
  /** "nats://127.0.0.1:41234" */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends it as a shutdown does, and returns when it is gone. Starting it again gives the same port and store. */
  stop(): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
}

export interface NatsServerOptions {
  /** A folder of its own: configuration, log, and the store in `jetstream/`. Made when it is missing. */
  readonly folder: string;
  /** The one of the last start, or else a free one, when absent. */
  readonly port?: number;
  /** The program; what `findNatsServer` finds when absent. */
  readonly bin?: string;
  /** The one user who is let in; without it everybody is. */
  readonly user?: { readonly name: string; readonly password: string };
}

const Running = ProcessIdentity.extend({ port: ProcessIdentity.shape.pid });

/** How long a server may take to answer, or to end. */
const waitMs = 30_000;

/**
 * Starts a real `nats-server` with JetStream on the loopback address, and returns when it answers. It goes on running
 * when this process ends, however that ends; a running one over the same folder is found again, for two servers over
 * one store would destroy it.
 * @throws {Failure} When no server is installed, or it does not start.
 */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const folder = resolve(options.folder);
  const before = await readRunning(folder);
  if (before && (await stateOf(before)) !== "gone" && (options.port ?? before.port) === before.port) {
    await answered(before, folder);
    return describe(before);
  }
  const bin = options.bin ?? (await findNatsServer());
  await mkdir(folder, { recursive: true });
  const onPort = (port: number) => launch(bin, folder, port, options.user);
  if (options.port !== undefined) return onPort(options.port);
  // Runs that are still at work know the server by its old address.
  if (before) return onPort(before.port).catch(async () => onPort(await freePort()));
  return onPort(await freePort());
}

/** Ends the server that runs over this folder; nothing happens when none does. */
export async function stopNatsServer(folder: string): Promise<void> {
  const running = await readRunning(resolve(folder));
  if (running) await describe(running).stop();
}

async function launch(bin: string, folder: string, port: number, user: NatsServerOptions["user"]): Promise<NatsServer> {
  await writeFile(join(folder, "nats.conf"), configuration(folder, port, user), { mode: 0o600 });
  const log = await open(join(folder, "output.log"), "w");
  // In a process group of its own, so that Ctrl-C at the terminal does not reach it before whoever still needs it.
  const child = spawn(bin, ["-c", join(folder, "nats.conf")], {
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
  });
  const spawned = new Promise<void>((resolve, reject) => child.once("spawn", resolve).once("error", reject));
  await spawned.catch((cause) => {
    throw cannotStart(folder, cause.message, cause);
  });
  await log.close();
  child.unref();
  const identity = await identify(child.pid as number).catch(async (cause) => {
    throw cannotStart(folder, await lastLines(folder), cause);
  });
  const running = { ...identity, port };
  await writeFile(join(folder, "server.json.new"), JSON.stringify(running), { mode: 0o600 });
  await rename(join(folder, "server.json.new"), join(folder, "server.json"));
  await answered(running, folder);
  return describe(running);
}

/** https://docs.nats.io/running-a-nats-service/configuration */
const configuration = (folder: string, port: number, user: NatsServerOptions["user"]) => `# Made at every start.
listen: 127.0.0.1:${port}
${user ? `authorization { user: ${JSON.stringify(user.name)}, password: ${JSON.stringify(user.password)} }\n` : ""}\
log_file: ${JSON.stringify(join(folder, "nats.log"))}
jetstream {
  store_dir: ${JSON.stringify(folder)}
  max_memory_store: 16MB
  max_file_store: 1GB
}
`;

function describe(running: ProcessIdentity & { port: number }): NatsServer {
  const end = async (signal: NodeJS.Signals) => {
    if ((await stateOf(running)) !== "gone") process.kill(running.pid, signal);
    await until(async () => (await stateOf(running)) === "gone", `process ${running.pid} is still there`);
  };
  return {
    url: `nats://127.0.0.1:${running.port}`,
    port: running.port,
    pid: running.pid,
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
  };
}

/** Returns when the server greets clients, which it does when its store is read. */
async function answered(running: ProcessIdentity & { port: number }, folder: string): Promise<void> {
  await until(async () => {
    if (await greets(running.port)) return true;
    if ((await stateOf(running)) === "gone") throw cannotStart(folder, await lastLines(folder));
    return false;
  }, `no answer on port ${running.port}`);
}

/** A server's first line is its INFO. */
function greets(port: number): Promise<boolean> {
  return new Promise((found) => {
    const socket = connect({ host: "127.0.0.1", port });
    const answer = (yes: boolean) => {
      socket.destroy();
      found(yes);
    };
    socket.setTimeout(1000, () => answer(false));
    socket.once("error", () => answer(false));
    socket.once("close", () => answer(false));
    socket.once("data", (data) => answer(data.toString().startsWith("INFO {")));
  });
}

async function until(holds: () => Promise<boolean>, otherwise: string): Promise<void> {
  for (const since = Date.now(); !(await holds()); await delay(10)) {
    if (Date.now() - since > waitMs)
      throw new Failure("internal", `Cannot wait for NATS any longer: after ${waitMs / 1000} s ${otherwise}`);
  }
}

const cannotStart = (folder: string, why: string, cause?: unknown) =>
  new Failure("invalid_config", `Cannot start nats-server over "${folder}": ${why}`, { cause });

async function lastLines(folder: string): Promise<string> {
  const texts = await Promise.all(
    ["output.log", "nats.log"].map((name) => readFile(join(folder, name), "utf8").catch(() => "")),
  );
  return `it ended at once; the end of its log:\n${texts.join("").slice(-1000)}`;
}

async function readRunning(folder: string) {
  const parsed = Running.safeParse(parseJson(await readFile(join(folder, "server.json"), "utf8").catch(() => "")));
  return parsed.success ? parsed.data : undefined;
}

/** Deletes a server's store, as a lost disk does. It must not run. */
export async function wipeStore(folder: string): Promise<void> {
  await rm(join(folder, "jetstream"), { recursive: true, force: true });
}
