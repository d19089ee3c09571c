import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ownIdentity, ProcessIdentity, stateOf } from "../../../../shared/run/process-identity.ts";
import { WebuiServer } from "./webui-server.ts";

/*
 * An Open WebUI server for the home lab, as a process: node server.ts start|stop|status|run --data <folder> …
 * The first three are made for the settings' `workload` lines. Exit status of `status`: 0 runs, 1 does not.
 * `crash` starts, and dies in the middle of a transaction, which leaves a hot journal.
 */

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    /** The data folder, with webui.db. */
    data: { type: "string" },
    /** Where its pid and log are; beside the data when absent. */
    state: { type: "string" },
    /** How many chats are written after the start, one after the other. */
    chats: { type: "string", default: "0" },
    /** Instead: chats are written until this is there. */
    until: { type: "string" },
    "every-ms": { type: "string", default: "20" },
    /** DATABASE_ENABLE_SQLITE_WAL. */
    wal: { type: "boolean", default: false },
    /** The newest revision of the database that this image knows; the lab's newest when absent. */
    head: { type: "string" },
  },
});
const [command] = positionals;
if (!values.data || !command) throw new Error("Usage: server.ts start|stop|status|run --data <folder>");
const data = resolve(values.data);
const state = resolve(values.state ?? join(data, "..", "server"));
const pidFile = join(state, "server.json");
const waitMs = 30_000;

const commands: Record<string, () => Promise<number>> = { start, stop, status, run, crash };
process.exitCode = (await commands[command]?.()) ?? 2;

async function run(): Promise<number> {
  await mkdir(state, { recursive: true });
  await mkdir(data, { recursive: true });
  const server = WebuiServer.start(data, { wal: values.wal, ...(values.head && { head: values.head }) });
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  await writeFile(pidFile, JSON.stringify(await ownIdentity()));
  console.log(`Open WebUI runs over ${data}`);
  const { until, chats } = values;
  const more = until === undefined ? (n: number) => n < Number(chats) : () => !existsSync(resolve(until));
  for (let n = 0; more(n) && !stop.signal.aborted; n++) {
    server.chat();
    await delay(Number(values["every-ms"]), undefined, { signal: stop.signal }).catch(() => {});
  }
  console.log("Rests");
  // A pending timer keeps a process that only waits alive.
  const rest = setInterval(() => {}, 1 << 30);
  if (!stop.signal.aborted) await new Promise((resolve) => stop.signal.addEventListener("abort", resolve));
  clearInterval(rest);
  server.close();
  await rm(pidFile);
  console.log("Goodbye");
  return 0;
}

async function crash(): Promise<number> {
  return WebuiServer.start(data, { wal: values.wal }).chatAndCrash();
}

/** Returns when it can be used. */
async function start(): Promise<number> {
  if (await running()) return 0;
  await mkdir(state, { recursive: true });
  await rm(pidFile, { force: true });
  const log = await open(join(state, "server.log"), "a");
  const child = spawn(process.execPath, [process.argv[1] as string, "run", ...process.argv.slice(3)], {
    cwd: process.cwd(),
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
  console.error(
    `Cannot start the server; the end of its log:\n${(await readFile(join(state, "server.log"), "utf8")).slice(-1000)}`,
  );
  if (!ended) child.kill("SIGKILL");
  return 1;
}

/** Returns when it is gone. */
async function stop(): Promise<number> {
  const server = await running();
  if (!server) return 0;
  process.kill(server.pid, "SIGTERM");
  for (const since = Date.now(); Date.now() - since < waitMs; await delay(20)) {
    if (!(await running())) return 0;
  }
  console.error(`Cannot stop the server: process ${server.pid} is still there after ${waitMs / 1000} s`);
  return 1;
}

async function status(): Promise<number> {
  return (await running()) ? 0 : 1;
}

async function running(): Promise<ProcessIdentity | undefined> {
  const text = await readFile(pidFile, "utf8").catch(() => "");
  // Empty while it is being written.
  const server = text ? ProcessIdentity.parse(JSON.parse(text)) : undefined;
  return server && (await stateOf(server)) === "alive" ? server : undefined;
}
