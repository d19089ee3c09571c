import type { V1Deployment, V1PersistentVolumeClaim, V1Pod } from "@kubernetes/client-node";
import { afterAll, expect, test } from "vitest";
import { nodeRulesOf } from "../../deploy/manifests/node-rules.ts";
import { done } from "./api.ts";
import { busybox } from "./images/busybox.ts";
import { joinCluster } from "./join.ts";
import { has, remove } from "./objects.ts";

const cluster = await joinCluster();
const home = await cluster.namespace("nodes");
/** A second node, which nobody but these tests runs on: it is there for the scheduler alone. */
const gpuNode = `gpu-${home.name}`;
const taint = { key: "dedicated", value: gpuNode, effect: "NoSchedule" };
const node = {
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: gpuNode, labels: { "kubernetes.io/hostname": gpuNode, gpu: home.name } },
  spec: { taints: [taint] },
};
afterAll(() => remove(cluster.api, [node]));
await home.apply(node);
const capacity = { cpu: "4", memory: "8Gi", pods: "20" };
const status = { capacity, allocatable: capacity, conditions: [{ type: "Ready", status: "True", reason: "Test" }] };
await done(cluster.api("PATCH", `/api/v1/nodes/${gpuNode}/status`, { status }));

const pod = (claim: string, more: object = {}) => ({
  containers: [
    { name: "main", image: busybox, command: ["true"], volumeMounts: [{ name: "data", mountPath: "/data" }] },
  ],
  volumes: [{ name: "data", persistentVolumeClaim: { claimName: claim } }],
  ...more,
});

/** A claim that nobody has used, and a volume for it on each of the two nodes; the scheduler chooses. */
function storage(name: string): object[] {
  const storageClassName = `${home.name}-${name}`;
  const spec = { accessModes: ["ReadWriteOnce"], storageClassName };
  const size = { storage: "1Gi" };
  const volumeOn = (node: string) => ({
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: `${storageClassName}-on-${node}`, labels: { test: home.name } },
    spec: {
      ...spec,
      capacity: size,
      local: { path: "/tmp" },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [node] }] },
          ],
        },
      },
    },
  });
  const kind = { apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata: { name: storageClassName } };
  return [
    { ...kind, provisioner: "kubernetes.io/no-provisioner", volumeBindingMode: "WaitForFirstConsumer" },
    volumeOn(cluster.node),
    volumeOn(gpuNode),
    {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name },
      spec: { ...spec, resources: { requests: size } },
    },
  ];
}

/** Installs an app at zero with these rules, and makes a run with what `nodeRulesOf` says of it, or without. */
async function land(name: string, appRules: object, carries: boolean): Promise<{ node: string; claimIsOn: string }> {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: pod(name, appRules) };
  await home.apply([
    ...storage(name),
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name },
      spec: { replicas: 0, selector: { matchLabels: labels }, template },
    },
  ]);
  const live = await home.get<V1Deployment>("Deployment", name);
  const rules = carries ? nodeRulesOf(live?.spec?.template.spec ?? {}) : {};
  const spec = pod(name, { restartPolicy: "Never", ...rules });
  await home.apply({ apiVersion: "batch/v1", kind: "Job", metadata: { name }, spec: { template: { spec } } });
  const pods = () => home.list<V1Pod>("Pod", `job-name=${name}`);
  await expect.poll(async () => (await pods()).map(has("PodScheduled"))).toEqual([true]);
  const [landed] = await pods();
  const claim = await home.get<V1PersistentVolumeClaim>("PersistentVolumeClaim", name);
  return { node: landed?.spec?.nodeName ?? "", claimIsOn: claim?.spec?.volumeName?.split("-on-")[1] ?? "" };
}

const onGpu = { nodeSelector: { gpu: home.name }, tolerations: [{ ...taint, operator: "Equal" }] };

test.concurrent("a run that carries its app's node rules is put where the app would be, and so is a claim that it is the first to use", async ({
  expect,
}) => {
  expect(await land("ruled", onGpu, true)).toEqual({ node: gpuNode, claimIsOn: gpuNode });
});

test.concurrent("a run without them takes an unused claim to a node where the app cannot follow", async ({
  expect,
}) => {
  expect(await land("unruled", onGpu, false)).toEqual({ node: cluster.node, claimIsOn: cluster.node });
});

test.concurrent("a run of an app that names its node is put there by the scheduler", async ({ expect }) => {
  expect(await land("named", { nodeName: gpuNode }, true)).toEqual({ node: gpuNode, claimIsOn: gpuNode });
});
