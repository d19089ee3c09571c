import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ownIdentity, ProcessIdentity, stateOf } from "../../../../shared/run/process-identity.ts";
import { bannerOf, Game } from "./game.ts";
import { serveTelnet } from "./telnet-server.ts";

/*
 * A dedicated server of 7 Days to Die for the home lab, as a process:
 *   node server.ts start|stop|status|run --user-data <UserData> --world <World> --game <GameName> …
 * The first three are made for the settings' `workload` lines. Exit status of `status`: 0 runs, 1 does not.
 */

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    "user-data": { type: "string" },
    world: { type: "string" },
    game: { type: "string" },
    /** Where its pid, log and password are; beside UserData when absent. */
    state: { type: "string" },
    port: { type: "string", default: "8081" },
    /** Made with a random password when it is missing. */
    "password-file": { type: "string" },
    seed: { type: "string", default: "1" },
  },
});
const [command] = positionals;
const { world, game } = values;
if (!values["user-data"] || !world || !game || !command) {
  throw new Error("Usage: server.ts start|stop|status|run --user-data <UserData> --world <World> --game <GameName>");
}
const userData = resolve(values["user-data"]);
const state = resolve(values.state ?? join(userData, "..", "server"));
const passwordFile = resolve(values["password-file"] ?? join(state, "telnet-password"));
const pidFile = join(state, "server.json");
const waitMs = 30_000;

const commands: Record<string, () => Promise<number>> = { start, stop, status, run };
process.exitCode = (await commands[command]?.()) ?? 2;

async function run(): Promise<number> {
  await mkdir(state, { recursive: true });
  await writeAdmins();
  let loaded: Game | undefined;
  // The console is there before the world is.
  const telnet = await serveTelnet({
    port: Number(values.port),
    password: await password(),
    banner: bannerOf({ world: world as string, game: game as string }),
    started: () => loaded !== undefined,
    run: (line) => (loaded as Game).console(line),
  });
  loaded = await Game.load({ userData, world: world as string, game: game as string, seed: Number(values.seed) });
  telnet.log("StartGame done");
  const stopped = new Promise<void>((resolve) => process.once("SIGTERM", resolve).once("SIGINT", resolve));
  await writeFile(pidFile, JSON.stringify(await ownIdentity()));
  console.log(`Console at 127.0.0.1:${telnet.port}`);
  await stopped;
  await telnet.close();
  await loaded.saveWorld();
  await rm(pidFile);
  console.log("SaveAndCleanupWorld");
  return 0;
}

/** The chart's image writes it at each start where there is none; a restore must leave it alone. */
async function writeAdmins(): Promise<void> {
  const path = join(userData, "Saves", "serveradmin.xml");
  if (existsSync(path)) return;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, '<?xml version="1.0" encoding="UTF-8"?>\n<adminTools>\n  <users />\n</adminTools>\n');
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
  process.kill(server.pid, "SIGINT");
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
