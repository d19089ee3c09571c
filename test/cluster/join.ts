import { afterAll, inject } from "vitest";
import { type Cluster, openCluster } from "./cluster.ts";

/*
 * A real Kubernetes for the tests: one node, with etcd, API server, controllers, scheduler, kubelet, kube-proxy and
 * containerd in namespaces of their own, gone without a trace afterwards. See machine/keeper-process.ts.
 *
 *   const cluster = await joinCluster();          // at the top of a test file
 *   const home = await cluster.namespace("home");
 *   await home.apply(`{apiVersion: v1, kind: ConfigMap, metadata: {name: box}}`);
 */

/**
 * The cluster that the test files share. What a file makes in namespaces of its own disappears with the file. For the
 * top level of a test file. Who breaks what the cluster consists of starts another one.
 */
export async function joinCluster(): Promise<Cluster> {
  const cluster = await openCluster(inject("cluster"));
  afterAll(() => cluster.leave());
  return cluster;
}
