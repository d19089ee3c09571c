import type { ClusterSettings, Kubernetes } from "../../shared/cluster/settings.ts";
import type { AppConfig, Config } from "../../shared/config.ts";
import { Failure } from "../../shared/failures.ts";

/** An app of a cluster. */
export interface ClusterApp extends AppConfig {
  readonly kubernetes: Kubernetes;
}

/** What the manifests are made from. */
export interface Site {
  readonly config: Config;
  readonly cluster: ClusterSettings;
  readonly apps: readonly ClusterApp[];
  /** keepsake.yaml as its owner wrote it: functions and runs read the same. */
  readonly text: string;
}

/**
 * @param text The file that `config` was read from.
 * @throws {Failure} `invalid_config` when it is not a cluster's.
 */
export function siteOf(config: Config, text: string): Site {
  const { cluster, apps, path } = config;
  if (!cluster) {
    throw new Failure("invalid_config", `Cannot make manifests of "${path}": the settings of a cluster are wanted`, {
      hint: "A file with `cluster: {}` in it, such as deploy/keepsake.yaml.",
    });
  }
  return { config, cluster, text, apps: apps.filter((app): app is ClusterApp => app.kubernetes !== undefined) };
}

/** The namespaces of the apps, each once. */
export const appNamespaces = ({ apps }: Site): string[] =>
  [...new Set(apps.map((app) => app.kubernetes.namespace))].sort();

/** The account of the functions, in their namespace, and that of the runs, in each app's. */
export const functionsAccount = "keepsake";
export const runnerAccount = "keepsake-runner";

/** As the API names an account that makes a request. */
export const userOf = (namespace: string, account: string): string => `system:serviceaccount:${namespace}:${account}`;
