import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ownIdentity, ProcessIdentity, stateOf } from "../../../../shared/run/process-identity.ts";
import { Game } from "./game.ts";
import { serveRcon } from "./rcon-server.ts";

/*
 * A Factorio server for the home lab, as a process: node server.ts start|stop|status|run --folder <saves> …
 * The first three are made for the settings' `workload` lines. Exit status of `status`: 0 runs, 1 does not.
 */

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    /** The folder of saves. */
    folder: { type: "string" },
    /** Where its pid, log and password are; beside the saves when absent. */
    state: { type: "string" },
    port: { type: "string", default: "27015" },
    /** Made with a random password when it is missing, as the image does. */
    "password-file": { type: "string" },
    slots: { type: "string", default: "3" },
    "level-mib": { type: "string", default: "3" },
    /** How much longer than needed a save takes. */
    "save-ms": { type: "string", default: "0" },
  },
});
const [command] = positionals;
if (!values.folder || !command) throw new Error("Usage: server.ts start|stop|status|run --folder <saves>");
const folder = resolve(values.folder);
const state = resolve(values.state ?? join(folder, "..", "server"));
const passwordFile = resolve(values["password-file"] ?? join(state, "rconpw"));
const pidFile = join(state, "server.json");
const waitMs = 30_000;

const commands: Record<string, () => Promise<number>> = { start, stop, status, run };
process.exitCode = (await commands[command]?.()) ?? 2;

async function run(): Promise<number> {
  await mkdir(state, { recursive: true });
  const game = await Game.load({
    folder,
    autosaveSlots: Number(values.slots),
    levelBytes: Number(values["level-mib"]) << 20,
    saveMs: Number(values["save-ms"]),
  });
  const rcon = await serveRcon({
    port: Number(values.port),
    password: await password(),
    run: (line) => game.console(line),
  });
  const stopped = new Promise<void>((resolve) => process.once("SIGTERM", resolve).once("SIGINT", resolve));
  await writeFile(pidFile, JSON.stringify(await ownIdentity()));
  console.log(`Hosting game at 127.0.0.1:${rcon.port}`);
  await stopped;
  await rcon.close();
  await game.save();
  await rm(pidFile);
  console.log("Goodbye");
  return 0;
}

/** Returns when the game can be joined. */
async function start(): Promise<number> {
  if (await running()) return 0;
  await mkdir(state, { recursive: true });
  await rm(pidFile, { force: true });
  const log = await open(join(state, "server.log"), "a");
  const script = process.argv[1] as string;
  const child = spawn(process.execPath, [script, "run", ...process.argv.slice(3)], {
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

/** Returns when it has saved and is gone. */
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
  const text = await readFile(pidFile, "utf8").catch(() => undefined);
  const server = text ? ProcessIdentity.parse(JSON.parse(text)) : undefined;
  return server && (await stateOf(server)) === "alive" ? server : undefined;
}

async function password(): Promise<string> {
  const known = await readFile(passwordFile, "utf8").catch(() => undefined);
  if (known !== undefined) return known.trim();
  const made = randomBytes(12).toString("base64url");
  await mkdir(dirname(passwordFile), { recursive: true });
  await writeFile(passwordFile, `${made}\n`, { mode: 0o600 });
  return made;
}
