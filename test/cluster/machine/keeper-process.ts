import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ownIdentity } from "../../../shared/run/process-identity.ts";
import { install } from "../install/install.ts";
import { makeGroups } from "./control-groups.ts";
import { forward } from "./forward.ts";
import { kubeconfigOf, makeKeys } from "./keys.ts";
import { endsOfLogs } from "./logs.ts";
import { type About, groupOf, placesOf, type Run } from "./run.ts";
import { clustersFolder, removeCluster, sweep } from "./sweep.ts";

/*
 * Keeps one cluster: starts it, prints its folder, and takes it down with everything that belongs to it as soon as its own
 * standard input ends, whatever ended it: that is how it outlives a test process that was killed, and for how long. When the keeper
 * itself is killed, the kernel ends the cluster, and the next keeper removes what lies around.
 *   node test/cluster/machine/keeper-process.ts    in a terminal: a cluster until Ctrl-C; for tests, see cluster.ts
 */

const say = (line: string) => process.stderr.write(`${line}\n`);

const installed = await install(say).catch((error: Error): never => {
  say(error.message);
  process.exit(1);
});
await sweep();
const id = randomBytes(3).toString("hex");
const run: Run = { ...installed, id, folder: join(clustersFolder, id) };
const places = placesOf(run.folder);
await mkdir(places.logs, { recursive: true });
await writeFile(join(run.folder, "keeper.json"), JSON.stringify(await ownIdentity()));
await writeFile(places.about, JSON.stringify({ run }));
await Promise.all([
  makeKeys(run.folder),
  makeGroups(groupOf(run)),
  mkdir(join(places.exports, "export"), { recursive: true }),
]);

const node = spawn(
  "setpriv",
  [
    ...["--pdeathsig", "KILL"],
    ...["unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"],
    ...["--propagation", "private"],
    // Process 1 has to take in those whose parents are gone: a shell does.
    ...["sh", "-c", '"$@" & wait $!', "sh", process.execPath, join(import.meta.dirname, "node-process.ts"), run.folder],
  ],
  { stdio: ["ignore", "pipe", "pipe"] },
);
const ended = new Promise<void>((resolve) => node.once("close", () => resolve()));
let words = "";
node.stderr.on("data", (chunk) => {
  words += chunk;
});
const ready = new Promise<boolean>((resolve) => {
  createInterface({ input: node.stdout }).on("line", (line) => resolve(line === "ready"));
  void ended.then(() => resolve(false));
});

let stopping: Promise<void> | undefined;
process.stdin.resume().once("end", stop).once("error", stop);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, stop);

if (await ready) {
  const door = await forward({ host: "127.0.0.1", port: 0 }, { path: places.apiSocket });
  const { port } = door.address() as AddressInfo;
  await writeFile(places.kubeconfig, await kubeconfigOf(run.folder, "admin", `https://127.0.0.1:${port}`), {
    mode: 0o600,
  });
  const about: About = { run, port, pid: await childOf(node.pid!) };
  await writeFile(places.about, JSON.stringify(about));
  process.stdout.write(`${run.folder}\n`);
  await ended;
}
const failed = !stopping;
if (failed) say(`The cluster ended by itself.\n${words}\n${await endsOfLogs(places.logs)}`);
await stop();
process.exit(failed ? 1 : 0);

async function childOf(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim());
}

function stop(): Promise<void> {
  stopping ??= end();
  return stopping;
}

async function end(): Promise<void> {
  const first = await childOf(node.pid!).catch(() => undefined);
  if (first) process.kill(first, "SIGKILL");
  else node.kill("SIGKILL");
  await ended;
  await removeCluster(run);
}
