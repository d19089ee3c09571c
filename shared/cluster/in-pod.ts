import type { Config } from "../config.ts";
import { Failure } from "../failures.ts";
import type { Place } from "../run/place.ts";
import { connect } from "./client.ts";
import { clusterPlace } from "./place.ts";

/**
 * The cluster, for a runner in the pod of a Job.
 * @param environment POD_NAMESPACE, POD_NAME and POD_UID, by the downward API.
 * @throws {Failure} `invalid_config` when this is no such pod.
 */
export function placeInPod(config: Config, environment: NodeJS.ProcessEnv): Place {
  const { POD_NAMESPACE: namespace, POD_NAME: name, POD_UID: uid } = environment;
  if (namespace && name && uid) return clusterPlace(connect(), config, { namespace, name, uid });
  throw new Failure(
    "invalid_config",
    "Cannot carry out a run of a cluster: POD_NAMESPACE, POD_NAME and POD_UID are wanted",
    {
      hint: "A configuration with `cluster:` is for runs that are Jobs. On a machine of its own, leave `cluster:` out.",
    },
  );
}
