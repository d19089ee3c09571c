import { expect, test } from "vitest";
import { exportPatch } from "../../../deploy/manifests/export-patch.ts";
import { busybox } from "../images/busybox.ts";
import { joinCluster } from "../join.ts";
import { install } from "./install.ts";

const cluster = await joinCluster();
const home = await cluster.namespace("nas");
const nas = await home.nfsExport("nas");
// An image that the node has, in the place of Keepsake's.
const image = busybox;
const { site, functions, games, admin } = await install(cluster, { image, nas });

const deploymentsOf = (namespace: string) => `/apis/apps/v1/namespaces/${namespace}/deployments`;

/** A Deployment as OpenFaaS makes one of a function. */
const functionOf = (name: string, annotations: Record<string, string> = {}, more: object = {}) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, annotations },
  spec: {
    replicas: 0,
    selector: { matchLabels: { faas_function: name } },
    template: {
      metadata: { labels: { faas_function: name }, annotations },
      spec: {
        volumes: [{ name: "token", emptyDir: {} }],
        containers: [
          {
            name,
            image,
            volumeMounts: [{ name: "token", mountPath: "/var/openfaas/secrets", readOnly: true }],
            ...more,
          },
        ],
      },
    },
  },
});

const asking = { "keepsake.dev/export": "read-only", topic: "cron-function" };

test("a function that asks for it gets the export, read-only, and the account, and keeps what it has", async () => {
  const { object } = await admin("POST", deploymentsOf(functions.name), functionOf("backup-sdtd", asking));
  const { serviceAccountName, automountServiceAccountToken, volumes, containers } = object.spec.template.spec;
  expect([serviceAccountName, automountServiceAccountToken]).toEqual(["keepsake", true]);
  expect(volumes).toEqual([
    { name: "token", emptyDir: {} },
    { name: "keepsake-export", nfs: { server: nas.server, path: nas.path, readOnly: true } },
  ]);
  expect(containers[0].volumeMounts).toEqual([
    { name: "token", mountPath: "/var/openfaas/secrets", readOnly: true },
    { name: "keepsake-export", mountPath: "/mnt/k3s-nfs", readOnly: true },
  ]);
});

test("the node mounts the export read-only for those that ask for it, and for no other", async () => {
  const asked = functionOf("mounted", asking);
  const other = functionOf("other");
  for (const deployment of [other, asked])
    await admin("POST", deploymentsOf(functions.name), { ...deployment, spec: { ...deployment.spec, replicas: 1 } });
  const pods = async () => (await admin("GET", `/api/v1/namespaces/${functions.name}/pods`)).object.items;
  // biome-ignore lint/suspicious/noExplicitAny: pods
  const started = async () => (await pods()).filter(({ status }: any) => status.containerStatuses?.[0]?.containerID);
  await expect.poll(started).toHaveLength(2);
  const mounts = (await cluster.nfsMounts()).filter((call) => call.includes(nas.path));
  expect(mounts).toEqual([expect.stringMatching(/-o (\S+,)?ro(,\S+)? /)]);
});

test("applying it once more, by any way, changes nothing", async () => {
  const asked = functionOf("restore-sdtd", asking);
  const path = `${deploymentsOf(functions.name)}/restore-sdtd`;
  const made = await admin("POST", deploymentsOf(functions.name), asked);
  expect(made.status).toBe(201);
  // What faas-netes does on an update: get, modify, update.
  await admin("PUT", path, (await admin("GET", path)).object);
  // And what a person does.
  await functions.apply(asked);
  await functions.apply(asked);
  const { object } = await admin("GET", path);
  expect(object.metadata.generation).toBe(made.object.metadata.generation);
  expect(object.spec).toEqual(made.object.spec);
});

test("where there is no such policy, a patch does the same, once and again", async () => {
  const mutated = await admin("POST", deploymentsOf(functions.name), functionOf("patched", asking));
  await admin("POST", deploymentsOf(games.name), functionOf("patched", asking));
  const patch = JSON.stringify(exportPatch(site, ["patched"]));
  for (const _ of ["once", "again"]) await games.kubectl("patch", "deployment", "patched", "--patch", patch);
  const { object } = await admin("GET", `${deploymentsOf(games.name)}/patched`);
  expect(object.metadata.generation).toBe(2);
  const { volumes, containers, ...pod } = mutated.object.spec.template.spec;
  expect(object.spec.template.spec).toMatchObject(pod);
  // A merge puts what is new first.
  expect(object.spec.template.spec.volumes).toEqual(expect.arrayContaining(volumes));
  expect(object.spec.template.spec.containers[0].volumeMounts).toEqual(
    expect.arrayContaining(containers[0].volumeMounts),
  );
});

test.each<[string, () => Promise<{ spec: { template: { spec: Record<string, unknown> } } }>]>([
  [
    "a function that does not ask",
    async () => (await admin("POST", `${deploymentsOf(functions.name)}?dryRun=All`, functionOf("notify"))).object,
  ],
  [
    "one that asks for more than to read",
    async () => {
      const more = functionOf("x", { "keepsake.dev/export": "read-write" });
      return (await admin("POST", `${deploymentsOf(functions.name)}?dryRun=All`, more)).object;
    },
  ],
  [
    "what asks in another namespace",
    async () => (await admin("POST", `${deploymentsOf(games.name)}?dryRun=All`, functionOf("x", asking))).object,
  ],
])("%s gets neither", async (_, make) => {
  const { spec } = (await make()).spec.template;
  expect(spec.serviceAccountName).toBeUndefined();
  expect(spec.volumes).toEqual([{ name: "token", emptyDir: {} }]);
});

test.each([
  ["another image", { image: "example.org/evil:1" }],
  ["a program of its own", { command: ["sh", "-c", "evil"] }],
  ["arguments of its own", { args: ["evil"] }],
  ["something that runs when it starts", { lifecycle: { postStart: { exec: { command: ["evil"] } } } }],
  [
    "options that make Node load something",
    { env: [{ name: "NODE_OPTIONS", value: "--import=data:text/javascript," }] },
  ],
  ["another loader", { env: [{ name: "LD_PRELOAD", value: "/tmp/evil.so" }] }],
  ["variables that nobody sees", { envFrom: [{ configMapRef: { name: "evil" } }] }],
])("a function with %s is refused the account, as a Deployment and as a pod", async (_, more) => {
  const asked = functionOf("evil", asking, more);
  const deployment = await admin("POST", `${deploymentsOf(functions.name)}?dryRun=All`, asked);
  const { volumes, containers } = asked.spec.template.spec;
  const pod = { metadata: { name: "evil" }, spec: { serviceAccountName: "keepsake", volumes, containers } };
  const path = `/api/v1/namespaces/${functions.name}/pods?dryRun=All`;
  for (const { status, message } of [deployment, await admin("POST", path, pod)]) {
    expect([status, message]).toEqual([403, expect.stringContaining("'keepsake-account-")]);
  }
});
