import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdir, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { loadAppTypes } from "../../../functions/types.ts";
import { loadConfig } from "../../../shared/config.ts";
import { Failure, toFailure } from "../../../shared/failures.ts";
import { isDemoFolder, requireIdle } from "./claim.ts";
import { type LabApp, labApps, placesIn, shown } from "./lab.ts";

/*
 * `make up`: node deploy/local/demo/up.ts --config homelab/keepsake.yaml [--port 8080] …
 * Starts the gateway (../gateway/main.ts, which takes the options) and ends with it. Over the demo's home lab it also
 * starts the lab's servers, and stops them at the end; what else a configuration names is left alone.
 */

const clone = process.env.KEEPSAKE_CLONE || join(import.meta.dirname, "../../..");
const gatewayScript = join(import.meta.dirname, "../gateway/main.ts");

async function up(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, strict: false, options: { config: { type: "string" } } });
  const config = resolve(String(values.config ?? ""));
  await access(config).catch(() => {
    throw new Failure("invalid_config", `Cannot find the configuration "${shown(config)}"`, {
      hint: "Type make demo first: it makes a home lab to try things on. Or serve your own: make up CONFIG=your.yaml",
    });
  });
  const folder = dirname(config);
  const apps =
    basename(config) === basename(placesIn(folder).config) && (await isDemoFolder(folder)) ? labApps(folder) : [];
  if (apps.length > 0) await requireIdle(folder);
  await leadMakeTo((await loadConfig(config, await loadAppTypes())).state);
  try {
    await startServers(apps);
    return await serve(args);
  } finally {
    for (const app of apps) await app.stop();
  }
}

/** The commands of this clone look for its gateway in homelab/state, and where build/gateway.json leads. */
async function leadMakeTo(state: string): Promise<void> {
  if (state === join(clone, "homelab/state")) return;
  const link = join(clone, "build/gateway.json");
  await mkdir(dirname(link), { recursive: true });
  await rm(`${link}.new`, { force: true });
  await symlink(join(state, "gateway.json"), `${link}.new`);
  await rename(`${link}.new`, link);
}

async function startServers(apps: readonly LabApp[]): Promise<void> {
  for (const app of apps) {
    await app.start();
    process.stdout.write(`The lab's ${app.title} server runs\n`);
  }
}

/** @returns The gateway's exit status. */
async function serve(args: string[]): Promise<number> {
  // In a process group of its own, so that Ctrl-C reaches it once, from here, and the servers outlive it.
  const gateway = spawn(process.execPath, [gatewayScript, ...args], { stdio: "inherit", detached: true });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => gateway.kill(signal === "SIGHUP" ? "SIGTERM" : signal));
  }
  const [code] = (await once(gateway, "exit")) as [number | null];
  return code ?? 1;
}

process.exitCode = await up(process.argv.slice(2)).catch((error) => {
  const { message, hint } = toFailure(error);
  process.stderr.write(`${message}\n${hint ? `  ${hint}\n` : ""}`);
  return 1;
});
