import type { Cluster } from "../../../shared/cluster/client.ts";
import { clusterWorkload, isStoppedOnCluster } from "../../../shared/cluster/workload.ts";
import type { AppConfig, Config } from "../../../shared/config.ts";
import { localPlace, type Place } from "../../../shared/run/place.ts";

/** Where runs are processes of this machine, with its locks, and the apps that they stop are on a cluster. */
export const outsidePlace = (config: Config, cluster: Cluster): Place => ({
  ...localPlace(config),
  canStop: () => true,
  isStopped: (app) => isStoppedOnCluster(cluster, at(app)),
  workload: (app, { step, warn }) => clusterWorkload(cluster, { app: app.name, at: at(app), step, warn }),
});

function at({ kubernetes }: AppConfig) {
  if (!kubernetes?.workload) throw new Error("An app with a workload is wanted");
  return { ...kubernetes, workload: kubernetes.workload };
}
