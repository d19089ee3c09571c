import { type AnyAppType, isMirror } from "../shared/app.ts";
import { type Config, loadConfig } from "../shared/config.ts";
import { Failure } from "../shared/failures.ts";
import { appFunction } from "../shared/http/app-function.ts";
import { takingEvents } from "../shared/http/cloud-event.ts";
import type { FunctionKind } from "../shared/http/request.ts";
import { createLog, type Logger } from "../shared/log.ts";
import { localRuns } from "../shared/run/local-runs.ts";
import { localPlace, type PlaceView, runsFolder } from "../shared/run/place.ts";
import type { Runs } from "../shared/run/runs.ts";
import { bundledRunner } from "./bundle.ts";
import { programPath } from "./programs.ts";
import { loadAppTypes } from "./types.ts";

export interface FunctionOptions {
  configPath: string;
  log?: Logger;
  /** Where events go; NATS_URL, the secret, or the configuration say it when absent. */
  natsUrl?: string | undefined;
  /** For functions that call others; KEEPSAKE_GATEWAY or OPENFAAS_URL say it when absent, else it is the cluster's. */
  gatewayUrl?: string | undefined;
  /** Aborted when the function is about to end: whoever waits for an outcome is told then how to go on. */
  draining?: AbortSignal | undefined;
  /** It was ended as it had said that it may be (`ServedFunction.rest`), and is there again. */
  isRested?: boolean;
}

export interface ServedFunction {
  fetch(request: Request): Promise<Response>;
  /** Begins what the function does by itself: its timer, its consumer. Whoever serves it calls this once it listens. */
  start?(): void;
  /** Ends that, and returns when it has ended. */
  stop?(): Promise<void>;
  /** When it may be ended and started again; without this, whenever nobody calls. */
  rest?(): Promise<Rest>;
}

export interface Rest {
  /** When it wants to be at work again at the latest, in ms from now: 0 is now, absent when somebody calls. */
  forMs?: number;
  /** An address of NATS where something may come meanwhile that it has to see to at once. */
  bell?: string;
}

/** Functions of one process share what they know of runs that are just starting. */
const sharedRuns = new Map<string, Runs>();

/** The functions that there are: `<name>` → what it is for, and whose. */
function functionsOf(types: readonly AnyAppType[]): Map<string, { kind: FunctionKind; type: string }> {
  const functions = new Map<string, { kind: FunctionKind; type: string }>();
  for (const app of types) {
    const { type, verb = "backup" } = app;
    functions.set(`${verb}-${type}`, { kind: "backup", type });
    functions.set(`restore-${type}`, { kind: "restore", type });
    if (isMirror(app) && app.cleans) functions.set(`cleanup-${type}`, { kind: "cleanup", type });
  }
  return functions;
}

/** The functions that are of no app type. Only whoever serves one loads it. */
const others = new Map<string, (options: FunctionOptions) => Promise<ServedFunction>>([
  ["notify", async (options) => (await import("./notify/function.ts")).loadNotify(options)],
  ["status", async (options) => (await import("./status/function.ts")).loadStatus(options)],
]);

/**
 * A function of stack.yml as a Web-standard fetch handler.
 * @param name "backup-<type>" or "restore-<type>"; some types have others (`AppType.verb`, `MirrorType.cleans`); or
 * "notify" or "status".
 * @throws {Failure} `not_found`, `invalid_config`.
 */
export async function loadFunction(name: string, options: FunctionOptions): Promise<ServedFunction> {
  const served = await loadNamed(name, options);
  return { ...served, fetch: takingEvents((request) => served.fetch(request)) };
}

async function loadNamed(name: string, options: FunctionOptions): Promise<ServedFunction> {
  const { configPath, log = createLog(name), natsUrl, draining } = options;
  const loadOther = others.get(name);
  if (loadOther) return loadOther({ ...options, log });
  const types = await loadAppTypes();
  const functions = functionsOf(types);
  const found = functions.get(name);
  if (!found) {
    const wanted = [...functions.keys(), ...others.keys()].join(", ");
    throw new Failure("not_found", `Cannot serve "${name}": one of ${wanted} is wanted`);
  }
  const config = await loadConfig(configPath, types);
  const { rest, ...where } = config.cluster
    ? (await import("./on-cluster.ts")).onCluster(config, { log, natsUrl: natsUrl ?? process.env.NATS_URL })
    : onThisMachine(config, natsUrl);
  const app = appFunction({ name, ...found, config, ...where, log, draining });
  return { fetch: async (request) => app.fetch(request), ...(rest && { rest }) };
}

function onThisMachine(
  config: Config,
  natsUrl: string | undefined,
): { runs: Runs; place: PlaceView; rest?: ServedFunction["rest"] } {
  const folder = runsFolder(config);
  const known = sharedRuns.get(folder);
  const runs = known ?? localRuns(folder, () => runnerCommand(config.path), natsUrl ? { NATS_URL: natsUrl } : {});
  sharedRuns.set(folder, runs);
  return { runs, place: localPlace(config) };
}

/**
 * Node's options for a runner: young objects get little room, since a runner passes buffers on and keeps none; by
 * default the garbage alone costs 30 MB. With room for old ones without end, Node lets the garbage of many small files
 * grow to 60 MB before it looks at it; with this much, which no runner comes near, to 25 MB.
 */
export const runnerOptions = ["--max-semi-space-size=1", "--max-old-space-size=256"];

/** The runner, by the runtime that this function runs on. The path of run.json has to follow. */
export async function runnerCommand(configPath: string): Promise<[string, ...string[]]> {
  const runner = programPath("run");
  if ("Deno" in globalThis) return [process.execPath, "run", "--allow-all", runner, configPath];
  return [process.execPath, ...runnerOptions, (await bundledRunner()) ?? runner, configPath];
}
