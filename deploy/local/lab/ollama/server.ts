import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { parseJson } from "../../../../shared/json.ts";
import { ownIdentity, ProcessIdentity, stateOf } from "../../../../shared/run/process-identity.ts";
import { serveOllama } from "./http-server.ts";
import { makeKeys } from "./make-store.ts";
import { Ollama } from "./ollama.ts";

/*
 * `ollama serve` for the home lab, as a process: node server.ts start|stop|status|run --folder <~/.ollama> …
 * The first three are made for the settings' `workload` lines. Exit status of `status`: 0 runs, 1 does not.
 */

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    /** Stands for `~/.ollama`: the keys, and the store in `models`. */
    folder: { type: "string" },
    /** Where its pid and log are; beside the folder when absent. */
    state: { type: "string" },
    port: { type: "string", default: "11434" },
  },
});
const [command] = positionals;
if (!values.folder || !command) throw new Error("Usage: server.ts start|stop|status|run --folder <~/.ollama>");
const folder = resolve(values.folder);
const state = resolve(values.state ?? join(folder, "..", "server"));
const pidFile = join(state, "server.json");
const waitMs = 30_000;

const commands: Record<string, () => Promise<number>> = { start, stop, status, run };
process.exitCode = (await commands[command]?.()) ?? 2;

async function run(): Promise<number> {
  await mkdir(state, { recursive: true });
  await makeKeys(folder);
  const ollama = new Ollama(join(folder, "models"));
  const { removed, skipped } = await ollama.prune();
  if (skipped !== undefined) console.log(`corrupt manifests detected, skipping prune operation: ${skipped}`);
  for (const name of removed) console.log(`removed unused layer ${name}`);
  const server = await serveOllama(ollama, Number(values.port));
  const stopped = new Promise<void>((resolve) => process.once("SIGTERM", resolve).once("SIGINT", resolve));
  await writeFile(pidFile, JSON.stringify({ ...(await ownIdentity()), port: server.port }));
  console.log(`Listening on 127.0.0.1:${server.port}`);
  await stopped;
  await server.close();
  await rm(pidFile);
  return 0;
}

/** Returns when it can be asked. */
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
  const end = (await readFile(join(state, "server.log"), "utf8")).slice(-1000);
  console.error(`Cannot start the server; the end of its log:\n${end}`);
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
  const server = ProcessIdentity.safeParse(parseJson(text));
  return server.success && (await stateOf(server.data)) === "alive" ? server.data : undefined;
}
