import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { labModels, type ModelSpec, makeStore } from "../../deploy/local/lab/ollama/make-store.ts";
import { Disk } from "../../shared/disk.ts";
import { initNas } from "../../shared/nas/nas.ts";
import { createStep } from "../../shared/step.ts";
import { programPath } from "../programs.ts";
import { serverRuns } from "./server-runs.ts";

const exec = promisify(execFile);
const server = programPath("deploy/local/lab/ollama/server.ts");

/** An Ollama home lab in one folder: where things are. */
export const places = (folder: string) => ({
  nas: join(folder, "nas"),
  /** `~/.ollama` */
  home: join(folder, "ollama"),
  models: join(folder, "ollama/models"),
  state: join(folder, "state"),
  config: join(folder, "keepsake.yaml"),
  mirror: join(folder, "nas/ollama/backups/models"),
});

/** A marked NAS, settings, and a store with these models. */
export async function layLab(
  folder: string,
  { models = labModels(300_000), ...settings }: { models?: ModelSpec[] } & Record<string, unknown> = {},
) {
  const { nas, home } = places(folder);
  await mkdir(nas, { recursive: true });
  await initNas(nas, new Disk(createStep()));
  await configure(folder, settings);
  return makeStore(home, models);
}

/** The settings hold absolute paths, so each copy of a lab gets its own. */
export async function configure(folder: string, settings: Record<string, unknown> = {}): Promise<void> {
  const { models, home, config } = places(folder);
  const control = (verb: string) => `${process.execPath} ${server} ${verb} --folder ${home} --port 0`;
  // No node process for a look: it is asked for again and again.
  const pid = `$(sed -n 's/.*"pid":\\([0-9]*\\).*/\\1/p' ${join(folder, "server/server.json")})`;
  const workload = { stop: control("stop"), start: control("start"), status: `kill -0 "${pid}"`, timeoutSeconds: 20 };
  const ollama = { models, workload, ...settings };
  await writeFile(config, JSON.stringify({ nas: "./nas", state: "./state", nasTimeoutSeconds: 1, apps: { ollama } }));
}

const call = (folder: string, verb: string) =>
  exec(process.execPath, [server, verb, "--folder", places(folder).home, "--port", "0"]);

export const startServer = (folder: string) => call(folder, "start");
export const stopServer = (folder: string) => call(folder, "stop");
export const isRunning = serverRuns;

/** Starts the server, which prunes, and asks it what it has; each model is loaded, too. */
export async function modelsThatLoad(folder: string): Promise<string[]> {
  const wasRunning = await isRunning(folder);
  if (!wasRunning) await startServer(folder);
  try {
    const { port } = JSON.parse(await readFile(join(folder, "server/server.json"), "utf8"));
    const { models } = (await (await fetch(`http://127.0.0.1:${port}/api/tags`)).json()) as {
      models: { name: string }[];
    };
    const loaded = [];
    for (const { name } of models) {
      const init = { method: "POST", body: JSON.stringify({ model: name }) };
      const answer = await fetch(`http://127.0.0.1:${port}/api/generate`, init);
      if (answer.ok) loaded.push(name);
    }
    return loaded.sort();
  } finally {
    if (!wasRunning) await stopServer(folder);
  }
}

/** Every file below a folder with the sha256 of its content; hidden folders left out. */
export async function sums(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const found: [string, string][] = [];
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || path.includes("/.keepsake/")) continue;
    found.push([
      path.slice(folder.length + 1),
      createHash("sha256")
        .update(await readFile(path))
        .digest("hex"),
    ]);
  }
  return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}
