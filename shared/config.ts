import { join, resolve } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { type AnyAppType, isMirror } from "./app.ts";
import { ClusterSettings, type Kubernetes, KubernetesSettings } from "./cluster/settings.ts";
import { configOf, type Settings } from "./config-of.ts";
import { Failure } from "./failures.ts";
import { readFile } from "./files.ts";
import { Owner } from "./owner.ts";
import { AppName } from "./run/description.ts";

const mode = z
  .string()
  .regex(/^0?[0-7]{3}$/, 'an octal mode such as "0644"')
  .transform((text) => Number.parseInt(text, 8));

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}

/** How an app is stopped and started on a laptop: lines for `sh -c`. Without them there is nothing to stop. */
const Workload = z.strictObject({
  stop: z.string(),
  start: z.string(),
  /** Exit status 0 means running; any other, stopped. */
  status: z.string(),
  /** How long to wait for it to stop, or to be ready, in seconds. */
  timeoutSeconds: z.number().positive().default(120),
});

/** The settings that every app has, whatever its type. */
export const CommonSettings = z.strictObject({
  type: z.string().optional(),
  /** Restore points kept; the type's own number when absent. */
  keep: z.number().int().min(1).max(1000).optional(),
  /** Points kept beyond `keep`: the newest of each of so many days, weeks, months. */
  keepDaily: z.number().int().min(0).max(366).default(0),
  keepWeekly: z.number().int().min(0).max(520).default(0),
  keepMonthly: z.number().int().min(0).max(240).default(0),
  /** A source of less than this share of the last backup is refused. */
  smallerThanPercent: z.number().min(0).max(100).default(50),
  /** How long the data that a restore replaced is kept. */
  keepReplacedDays: z.number().min(0).max(365).default(7),
  /** A scrub reads so much that all of the app's backups are read back within so many days. */
  scrubDays: z.number().min(0.01).max(365).default(7),
  /** How fast, so that whoever else uses the NAS does not notice. */
  scrubMegabytesPerSecond: z.number().positive().max(100_000).default(20),
  /** Where a drill restores to; `drills` in this machine's own folder when absent. It takes the room of the app. */
  drillFolder: z.string().optional(),
  workload: Workload.optional(),
  /** Where the app is on a cluster; what is absent is as its type says. */
  kubernetes: KubernetesSettings.optional(),
});

export interface AppConfig {
  readonly name: string;
  readonly type: AnyAppType;
  /** Restore points kept; a mirror has one. */
  readonly keep: number;
  readonly common: z.infer<typeof CommonSettings>;
  readonly settings: unknown;
  /** Where it is on a cluster; always there when the configuration is a cluster's. */
  readonly kubernetes?: Kubernetes;
}

/** keepsake.yaml without what stands under an app's name. */
export const ConfigFile = z.strictObject({
  /** The export as it is mounted here: the folder with the marker. */
  nas: z.string().default("/mnt/k3s-nfs"),
  /** Where the export comes from, for people and for the cluster's manifests. */
  nasExport: z
    .strictObject({
      server: z.string().default("10.20.10.20"),
      path: z.string().default("/volume/567898ba-8471-4adb-9be9-d3e1f96fa7ba/.srv/.unifi-drive/K3sStorage/.data"),
    })
    .prefault({}),
  nasOwner: Owner.optional(),
  nasFileMode: mode.default(0o644),
  nasDirMode: mode.default(0o755),
  /** How long a look at the NAS may take before it counts as away, in seconds. */
  nasTimeoutSeconds: z.number().positive().max(600).default(5),
  /** This machine's own: run logs, the outbox while the NAS is away. */
  state: z.string().default("/var/lib/keepsake"),
  /** Folder of the secrets. */
  secrets: z.string().default("/var/openfaas/secrets"),
  /** The time zone of local times in `AT=` when the caller names none. */
  timeZone: z.string().refine(isTimeZone, 'a time zone such as "Europe/Berlin"').optional(),
  /** Where events go, `nats://host:4222`; NATS_URL wins. Without either they are only logged. */
  nats: z.string().optional(),
  /** On a cluster, be it empty: runs are Jobs. */
  cluster: ClusterSettings.optional(),
  /** What `notify` and `status` parse themselves: nobody else has to know their settings. */
  notify: z.record(z.string(), z.unknown()).optional(),
  status: z.record(z.string(), z.unknown()).optional(),
  apps: z.record(AppName, z.record(z.string(), z.unknown()).nullable()).optional(),
});

export interface Config {
  /** Absolute path of the file it came from, for the runner. */
  readonly path: string;
  readonly nas: string;
  readonly nasExport: { server: string; path: string };
  readonly nasOwner?: { uid: number; gid: number };
  readonly nasFileMode: number;
  readonly nasDirMode: number;
  readonly nasTimeoutMs: number;
  readonly state: string;
  readonly secrets: string;
  readonly timeZone: string;
  readonly nats?: string;
  readonly cluster?: ClusterSettings;
  readonly notify?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly apps: readonly AppConfig[];
}

/**
 * Reads keepsake.yaml. Relative paths in it are relative to its folder. Every mistake is named at once.
 * @param types The app types there are; one app each when the file lists none.
 * @throws {Failure} `invalid_config`.
 */
export async function loadConfig(path: string, types: readonly AnyAppType[]): Promise<Config> {
  const text = await readFile(path, "utf8").catch((cause) => {
    throw new Failure("invalid_config", `Cannot read the configuration "${path}": ${cause.message}`, { cause });
  });
  return parseConfig(text, resolve(path), types);
}

export const parseConfig = (text: string, path: string, types: readonly AnyAppType[]): Config =>
  configOf(parseSettings(text, path, types), types);

/** What a configuration says, with its defaults and absolute paths. */
export function parseSettings(text: string, path: string, types: readonly AnyAppType[]): Settings {
  const problems: string[] = [];
  const bad = (at: string, error: z.ZodError) => {
    for (const { path, message } of error.issues) {
      const place = [at, ...path].filter((part) => part !== "").join(".");
      problems.push(place === "" ? message : `${place}: ${message}`);
    }
  };

  let raw: unknown;
  try {
    raw = parse(text) ?? {};
  } catch (cause) {
    throw new Failure("invalid_config", `Cannot read the configuration "${path}": ${(cause as Error).message}`, {
      cause,
    });
  }
  const file = ConfigFile.safeParse(raw);
  if (!file.success) bad("", file.error);
  const listed =
    isObject(raw) && raw.apps !== undefined ? raw.apps : Object.fromEntries(types.map((t) => [t.type, {}]));
  const apps: Settings["apps"][number][] = [];
  for (const [name, given] of Object.entries(isObject(listed) ? listed : {})) {
    const entries = Object.entries(isObject(given) ? given : {});
    const of = (shared: boolean) =>
      Object.fromEntries(entries.filter(([key]) => key in CommonSettings.shape === shared));
    const shared = CommonSettings.safeParse(of(true));
    if (!shared.success) bad(`apps.${name}`, shared.error);
    const typeName = isObject(given) && given.type !== undefined ? given.type : name;
    const type = types.find((candidate) => candidate.type === typeName);
    if (!type) {
      problems.push(`apps.${name}.type: one of ${types.map((t) => t.type).join(", ")} is wanted, is "${typeName}"`);
      continue;
    }
    const settings = type.settings.safeParse(absolutePaths(of(false), path));
    if (!settings.success) bad(`apps.${name}`, settings.error);
    if (!shared.success || !settings.success) continue;
    const kubernetes = kubernetesOf(type, shared.data);
    if (file.data?.cluster && !kubernetes)
      problems.push(`apps.${name}.kubernetes.namespace: the namespace that the app is in is wanted`);
    const place = placeOf(type, settings.data, file.data?.cluster && kubernetes);
    const other = apps.find(
      (app) => app.type === type.type && placeOf(type, app.settings, file.data?.cluster && app.kubernetes) === place,
    );
    if (other && place !== undefined)
      problems.push(`apps.${name}: data of its own is wanted, is that of "${other.name}" (${place})`);
    apps.push({
      name,
      type: type.type,
      keep: isMirror(type) ? 1 : (shared.data.keep ?? type.keep),
      common: withPaths(shared.data, path),
      settings: settings.data,
      ...(kubernetes && { kubernetes }),
    });
  }
  if (!file.success || problems.length > 0) throw invalid(path, problems);
  const {
    nasTimeoutSeconds,
    timeZone,
    nasOwner,
    nas,
    state,
    secrets,
    nats,
    cluster,
    notify,
    status,
    apps: _,
    ...rest
  } = file.data;
  return {
    ...rest,
    path,
    nas: resolve(path, "..", nas),
    state: resolve(path, "..", state),
    secrets: resolve(path, "..", secrets),
    ...(nasOwner && { nasOwner }),
    ...(nats !== undefined && { nats }),
    ...(cluster && { cluster }),
    ...(notify && { notify }),
    ...(status && { status }),
    ...(timeZone !== undefined && { timeZone }),
    nasTimeoutMs: nasTimeoutSeconds * 1000,
    apps,
  };
}

/** Where an app is on a cluster: what its settings say, else what its type says, one by one. */
function kubernetesOf(type: AnyAppType, { kubernetes: given }: AppConfig["common"]): Kubernetes | undefined {
  const byType = type.kubernetes && KubernetesSettings.parse(type.kubernetes);
  const companion = { ...byType?.companion, ...given?.companion };
  const { namespace, ...rest } = { ...byType, ...given };
  if (namespace === undefined) return undefined;
  return { namespace, ...rest, ...(Object.keys(companion).length > 0 && { companion }) };
}

/** Where the data is. On a cluster the same path is another place in another claim. */
function placeOf(type: AnyAppType, settings: unknown, at: Kubernetes | undefined): string | undefined {
  const path = type.place?.(settings);
  if (path === undefined || at?.claim === undefined) return path;
  return `claim ${at.namespace}/${at.claim}, ${join(at.claimSubPath ?? "", path)}`;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Not those of the workload: its lines begin with programs of their own choice. */
function withPaths(common: AppConfig["common"], configPath: string): AppConfig["common"] {
  const { drillFolder } = common;
  return drillFolder === undefined ? common : { ...common, drillFolder: resolve(configPath, "..", drillFolder) };
}

/** Values that start with "./" or "../", however deep, are paths beside the configuration file. */
function absolutePaths(value: unknown, configPath: string): unknown {
  if (typeof value === "string") return /^\.\.?\//.test(value) ? resolve(configPath, "..", value) : value;
  if (Array.isArray(value)) return value.map((item) => absolutePaths(item, configPath));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, absolutePaths(item, configPath)]));
}

function invalid(path: string, problems: string[]): Failure {
  return new Failure("invalid_config", `Cannot use the configuration "${path}":\n  ${problems.join("\n  ")}`, {
    hint: "The README lists every setting with its default and meaning.",
  });
}
