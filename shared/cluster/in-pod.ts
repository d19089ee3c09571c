import type { Config } from "../config.ts";
import { Failure } from "../failures.ts";
import type { RunDescription } from "../run/description.ts";
import type { Place } from "../run/place.ts";
import { whyAskedToEnd } from "./asked-to-end.ts";
import { connect } from "./client.ts";
import { jobName } from "./names.ts";
import { clusterPlace } from "./place.ts";

export interface InPod {
  readonly place: Place;
  /** To be asked when the runner is told to end; answers within seconds. */
  whyAskedToEnd(): Promise<Failure>;
}

/**
 * The cluster, for a runner in the pod of a Job.
 * @param environment POD_NAMESPACE, POD_NAME and POD_UID, by the downward API; KEEPSAKE_COMPANION, a folder shared with
 *   another container of the pod.
 * @throws {Failure} `invalid_config` when this is no such pod.
 */
export function inPod(config: Config, environment: NodeJS.ProcessEnv, run: RunDescription): InPod {
  const { POD_NAMESPACE: namespace, POD_NAME: name, POD_UID: uid, KEEPSAKE_COMPANION: companion } = environment;
  if (namespace && name && uid) {
    const cluster = connect();
    const pod = { namespace, name, uid };
    return {
      place: clusterPlace(cluster, config, { ...pod, companion: companion || undefined }),
      whyAskedToEnd: () => whyAskedToEnd(cluster, pod, jobName(run.app, run.id)),
    };
  }
  throw new Failure(
    "invalid_config",
    "Cannot carry out a run of a cluster: POD_NAMESPACE, POD_NAME and POD_UID are wanted",
    {
      hint: "A configuration with `cluster:` is for runs that are Jobs. On a machine of its own, leave `cluster:` out.",
    },
  );
}
