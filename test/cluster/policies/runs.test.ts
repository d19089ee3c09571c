import { expect, test } from "vitest";
import { stoppedAnnotation } from "../../../shared/cluster/stopped-mark.ts";
import { joinCluster } from "../join.ts";
import { install } from "./install.ts";

const cluster = await joinCluster();
const { games, asRunOfGames, asRunOfDatabases, databases } = await install(cluster);

const kinds = { deployments: "sdtd-7dtd", statefulsets: "webui" } as const;
const pathOf = (kind: keyof typeof kinds) => `/apis/apps/v1/namespaces/${games.name}/${kind}/${kinds[kind]}`;
const mark = { metadata: { annotations: { [stoppedAnnotation]: '{"replicas":1}' } } };

const labels = { app: "webui" };
const spec = {
  replicas: 1,
  selector: { matchLabels: labels },
  template: {
    metadata: { labels },
    // Never scheduled: what is tried here is not what a pod does.
    spec: { schedulerName: "nobody", containers: [{ name: "main", image: "example.org/app:1" }] },
  },
};
const metadata = { labels, annotations: { "example.org/own": "yes" } };
await games.apply([
  { apiVersion: "apps/v1", kind: "Deployment", metadata: { ...metadata, name: "sdtd-7dtd" }, spec },
  {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { ...metadata, name: "webui" },
    spec: { ...spec, serviceName: "webui" },
  },
]);

test.each(["deployments", "statefulsets"] as const)("a run marks, stops and starts the app's %s", async (kind) => {
  expect((await asRunOfGames("PATCH", pathOf(kind), mark)).message).toBe("");
  expect((await asRunOfGames("PATCH", `${pathOf(kind)}/scale`, { spec: { replicas: 0 } })).message).toBe("");
  expect((await asRunOfGames("PATCH", pathOf(kind), { spec: { replicas: 1 } })).message).toBe("");
  const without = { metadata: { annotations: { [stoppedAnnotation]: null } } };
  expect((await asRunOfGames("PATCH", pathOf(kind), without)).message).toBe("");
});

test("a run finds its app by name where a role names it, and else by its labels", async () => {
  const list = async (kind: keyof typeof kinds, query: string) =>
    (await asRunOfGames("GET", `/apis/apps/v1/namespaces/${games.name}/${kind}?${query}`)).status;
  expect(await list("deployments", "fieldSelector=metadata.name%3Dsdtd-7dtd")).toBe(200);
  expect(await list("deployments", "fieldSelector=metadata.name%3Danother")).toBe(403);
  expect(await list("deployments", "labelSelector=app%3Dwebui")).toBe(403);
  expect(await list("statefulsets", "labelSelector=app%3Dwebui")).toBe(200);
});

const pod = (more: object) => ({ spec: { template: { spec: more } } });

test.each<[string, object]>([
  ["image", pod({ containers: [{ name: "main", image: "example.org/evil:1" }] })],
  ["account", pod({ serviceAccountName: "keepsake-runner" })],
  ["volumes", pod({ volumes: [{ name: "node", hostPath: { path: "/" } }] })],
  ["pods' labels", { spec: { template: { metadata: { labels: { more: "yes" } } } } }],
  ["own labels", { metadata: { labels: { app: "other" } } }],
  ["own annotations", { metadata: { annotations: { "example.org/own": null } } }],
  ["owner", { metadata: { ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: "x", uid: "x" }] } }],
  ["finalizers", { metadata: { finalizers: ["example.org/never"] } }],
  ["history", { spec: { revisionHistoryLimit: 1 } }],
])("a run cannot change a workload's %s", async (_, change) => {
  for (const kind of ["deployments", "statefulsets"] as const) {
    const { status, message } = await asRunOfGames("PATCH", `${pathOf(kind)}?dryRun=All`, change);
    expect([status, message]).toEqual([403, expect.stringContaining("'keepsake-workloads-")]);
  }
});

test("a run makes the Leases of its app, and no other", async () => {
  const make = async (name: string) => {
    const path = `/apis/coordination.k8s.io/v1/namespaces/${games.name}/leases?dryRun=All`;
    return (await asRunOfGames("POST", path, { metadata: { name } })).status;
  };
  for (const name of ["keepsake-sdtd", "keepsake-sdtd-scrub", "keepsake-sdtd-drill"])
    expect(await make(name)).toBe(201);
  for (const name of ["leader", "keepsake-postgresql", "keepsake"])
    expect([name, await make(name)]).toEqual([name, 403]);
});

test("a run of one namespace has no business in another", async () => {
  for (const [as, namespace] of [
    [asRunOfDatabases, games.name],
    [asRunOfGames, databases.name],
  ] as const) {
    const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases?dryRun=All`;
    expect((await as("POST", path, { metadata: { name: "keepsake-postgresql" } })).status).toBe(403);
  }
});
