import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { placesOf } from "./machine/run.ts";

export interface LocalOptions {
  /** A hostPath with node affinity is what k3s makes unless told; both hold their pods on the node. */
  type?: "local" | "hostPath";
}

export interface LocalClaim {
  claim: string;
  volume: string;
  /** The same files, on this machine. */
  folder: string;
}

interface Place {
  namespace: string;
  name: string;
  folder: string;
  node: string;
}

/** A volume on a folder of the node, the claim that is meant for it, and their class, as k3s names it. */
export function claimOf({ namespace, name, folder, node }: Place, { type = "local" }: LocalOptions): object[] {
  const volume = `${namespace}-${name}`;
  const storageClassName = "local-path";
  const size = { storage: "1Gi" };
  const onNode = { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [node] }] };
  return [
    {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: { name: storageClassName },
      provisioner: "kubernetes.io/no-provisioner",
      volumeBindingMode: "WaitForFirstConsumer",
    },
    {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: volume, labels: { test: namespace } },
      spec: {
        capacity: size,
        accessModes: ["ReadWriteOnce"],
        storageClassName,
        persistentVolumeReclaimPolicy: "Retain",
        claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name },
        [type]: { path: folder },
        nodeAffinity: { required: { nodeSelectorTerms: [onNode] } },
      },
    },
    {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name, namespace },
      spec: { accessModes: ["ReadWriteOnce"], storageClassName, resources: { requests: size } },
    },
  ];
}

/** An export of the tests' NFS server. A pod has it by `nfs: {server, path}`. */
export interface Export {
  server: string;
  path: string;
  /** The same files, on this machine. */
  folder: string;
  /** New mounts are refused from now on. */
  withdraw(): Promise<void>;
  offer(): Promise<void>;
}

export async function exportOf(cluster: string, path: string): Promise<Export> {
  const folder = join(placesOf(cluster).exports, path);
  await mkdir(folder, { recursive: true });
  const withdrawn = `${folder}.withdrawn`;
  return {
    server: "nas.test",
    path,
    folder,
    withdraw: () => rename(folder, withdrawn),
    offer: () => rename(withdrawn, folder),
  };
}
