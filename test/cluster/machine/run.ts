import { join } from "node:path";
import type { Installed } from "../install/install.ts";

/** A cluster on this machine: what it is made from, and its folder, in which everything is that it writes. */
export interface Run extends Installed {
  /** Its name among the clusters of this machine, of its control groups too. */
  id: string;
  folder: string;
}

/** Inside the cluster's own network namespace; the same in each cluster. */
export const addresses = {
  node: "10.77.0.1",
  pods: "10.88.0.0/16",
  services: "10.96.0.0/16",
  /** The Service "kubernetes", which is the first of them. */
  api: "10.96.0.1",
} as const;

export const nodeName = "node-1";

export const groupOf = (run: Pick<Run, "id">) => `keepsake-${run.id}`;

/** Where things are in the folder of a cluster. */
export const placesOf = (folder: string) => ({
  logs: join(folder, "logs"),
  keys: join(folder, "keys"),
  /** Of the administrator, by the address that the machine reaches. */
  kubeconfig: join(folder, "kubeconfig"),
  /** What the NFS server of the tests exports: /export/x is exports/export/x. */
  exports: join(folder, "exports"),
  /** One line for each mount that the kubelet asked for. */
  nfsMounts: join(folder, "logs/nfs-mounts.log"),
  /** The way into the network namespace. */
  apiSocket: join(folder, "api.sock"),
  controlSocket: join(folder, "control.sock"),
  containerdSocket: join(folder, "containerd.sock"),
  about: join(folder, "cluster.json"),
});

/** What others have to know to use it, in `cluster.json`. */
export interface About {
  run: Run;
  port: number;
  /** Process 1 of its namespaces. */
  pid: number;
}
