import {
  AppsV1Api,
  AutoscalingV2Api,
  BatchV1Api,
  CoordinationV1Api,
  CoreV1Api,
  createConfiguration,
  KubeConfig,
  PatchStrategy,
  type RequestContext,
  ServerConfiguration,
  setHeaderOptions,
} from "@kubernetes/client-node";

/*
 * The one place that loads the client library, which costs a process 90 MB and half a second: whatever imports this
 * belongs to a process that works on the cluster, never to an idle function.
 */

/** The API of one cluster. A request that is not answered in time is aborted (`TimeoutError`). */
export interface Cluster {
  readonly config: KubeConfig;
  readonly core: CoreV1Api;
  readonly apps: AppsV1Api;
  readonly batch: BatchV1Api;
  readonly autoscaling: AutoscalingV2Api;
  readonly coordination: CoordinationV1Api;
}

/** Whose changes they are, in `managedFields`. */
export const fieldManager = "keepsake";

/** A patch holds what changes (RFC 7396). */
export const mergePatch = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);

/**
 * The cluster that this pod is in, by its service account, whose token is read again before it expires; else the one
 * that `KUBECONFIG` or `~/.kube/config` names.
 * @param timeoutMs How long one request may take. Watches and logs are streams and are not meant.
 */
export function connect(config: KubeConfig = defaultConfig(), timeoutMs = 20_000): Cluster {
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error("Cannot find the cluster: a kubeconfig with a current context is wanted");
  const configuration = createConfiguration({
    baseServer: new ServerConfiguration(cluster.server, {}),
    authMethods: { default: config },
    promiseMiddleware: [
      {
        pre: async (request: RequestContext) => {
          request.setSignal(AbortSignal.timeout(timeoutMs));
          return request;
        },
        post: async (response) => response,
      },
    ],
  });
  return {
    config,
    core: new CoreV1Api(configuration),
    apps: new AppsV1Api(configuration),
    batch: new BatchV1Api(configuration),
    autoscaling: new AutoscalingV2Api(configuration),
    coordination: new CoordinationV1Api(configuration),
  };
}

function defaultConfig(): KubeConfig {
  const config = new KubeConfig();
  config.loadFromDefault();
  return config;
}
