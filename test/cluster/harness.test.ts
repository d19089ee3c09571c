import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CoreV1Event, V1Pod } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { busybox } from "./images/busybox.ts";
import { servers, serversImage } from "./images/servers.ts";
import { joinCluster } from "./join.ts";
import { has } from "./objects.ts";

const cluster = await joinCluster();
const home = await cluster.namespace("harness");

const shell = (script: string) => ({ command: ["sh", "-c", script] });

test("joinCluster() gives a node that is ready, of the version that go.mod names", async () => {
  const gomod = await readFile(join(import.meta.dirname, "kubernetes/go.mod"), "utf8");
  const [, version] = /k8s\.io\/kubernetes (v\S+)/.exec(gomod)!;
  const node = JSON.parse(await cluster.kubectl("get", "node", cluster.node, "--output=json"));
  expect(node.status.nodeInfo.kubeletVersion).toBe(version);
  expect(node.status.conditions).toContainEqual(expect.objectContaining({ type: "Ready", status: "True" }));
});

test.concurrent("runJob() tells a job's log, and whether it succeeded", async ({ expect }) => {
  const [good, bad] = await Promise.all([
    home.runJob("good", shell("echo yes")),
    home.runJob("bad", shell("echo no; exit 3")),
  ]);
  expect(good).toEqual({ log: "yes\n", succeeded: true });
  expect(bad).toEqual({ log: "no\n", succeeded: false });
});

test.concurrent.for(["local", "hostPath"] as const)(
  "localClaim() of type %s keeps its data while a workload is at zero",
  async (type, { expect }) => {
    const name = `saves-${type.toLowerCase()}`;
    const { claim, folder } = await home.localClaim(name, { type });
    await writeFile(join(folder, "from-outside"), "seen");
    const container = {
      name: "game",
      image: busybox,
      ...shell("cat /data/from-outside >>/data/log; sleep 1000"),
      volumeMounts: [{ name: "data", mountPath: "/data" }],
    };
    await home.apply({
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: { name },
      spec: {
        serviceName: name,
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name } },
          spec: {
            terminationGracePeriodSeconds: 0,
            containers: [container],
            volumes: [{ name: "data", persistentVolumeClaim: { claimName: claim } }],
          },
        },
      },
    });
    const log = () => readFile(join(folder, "log"), "utf8").catch(() => "");
    await expect.poll(log).toBe("seen");
    await home.scale("StatefulSet", name, 0);
    await home.until("Pod", `${name}-0`, (pod) => pod === undefined);
    await home.scale("StatefulSet", name, 1);
    await expect.poll(log).toBe("seenseen");
  },
);

test.concurrent("nfsExport() is mounted by the kubelet, read-only where that is asked for", async ({ expect }) => {
  const nas = await home.nfsExport("nas");
  const { server, path, folder } = nas;
  const mounts = {
    volumeMounts: [
      { name: "nas", mountPath: "/nas" },
      { name: "same", mountPath: "/same" },
    ],
  };
  const volumes = [
    { name: "nas", nfs: { server, path } },
    { name: "same", nfs: { server, path, readOnly: true } },
  ];
  const job = await home.runJob(
    "nas",
    { ...shell("exec 2>&1; echo kept >/nas/file; cat /same/file; touch /same/other"), ...mounts },
    { volumes },
  );
  expect(job).toEqual({ log: "kept\ntouch: /same/other: Read-only file system\n", succeeded: false });
  expect(await readFile(join(folder, "file"), "utf8")).toBe("kept\n");
  expect(await cluster.nfsMounts()).toContainEqual(expect.stringContaining(`-t nfs -o ro ${server}:${path} `));
});

test.concurrent("nfsExport() that is withdrawn is refused to the kubelet, and taken when it is offered again", async ({
  expect,
}) => {
  const nas = await home.nfsExport("away");
  await nas.withdraw();
  const volumes = [{ name: "nas", nfs: { server: nas.server, path: nas.path } }];
  await home.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "waiting" },
    spec: {
      restartPolicy: "Never",
      containers: [{ name: "main", image: busybox, volumeMounts: [{ name: "nas", mountPath: "/nas" }] }],
      volumes,
    },
  });
  const said = async () => (await home.list<CoreV1Event>("Event")).map(({ message }) => message).join("\n");
  await expect.poll(said).toContain("access denied by server");
  await nas.offer();
  await home.until<V1Pod>("Pod", "waiting", (pod) => pod?.status?.phase === "Succeeded");
});

test.concurrent("kubeconfigOf() may what its account may, for as long as it is told", async ({ expect }) => {
  await home.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "reader" } });
  await home.kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods");
  await home.kubectl("create", "rolebinding", "reader", "--role=reader", `--serviceaccount=${home.name}:reader`);
  const kubeconfig = join(cluster.folder, "reader.kubeconfig");
  await writeFile(kubeconfig, await home.kubeconfigOf("reader"));
  const asReader = (...args: string[]) => cluster.kubectlWith({ kubeconfig }, "--namespace", home.name, ...args);
  await expect(asReader("get", "pods")).resolves.toBeDefined();
  await expect(asReader("get", "secrets")).rejects.toThrow('reader" cannot list resource "secrets"');
  await writeFile(kubeconfig, await home.kubeconfigOf("reader", -1));
  await expect(asReader("get", "pods")).rejects.toThrow("Unauthorized");
});

test.concurrent("apply() refuses fields that the API does not know", async ({ expect }) => {
  const box = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "box" }, dtaa: {} };
  await expect(home.apply(box)).rejects.toThrow(/unknown field|field not declared/);
});

test.concurrent("pods find Services by name, and servers run in them", async ({ expect }) => {
  await cluster.load(servers, serversImage);
  const labels = { app: "db" };
  const script = "initdb --auth=trust --no-sync /data/db >/dev/null && exec postgres -D /data/db -h '*' -k /data -F";
  const access = "echo 'host all all all trust' >>/data/db/pg_hba.conf";
  await home.apply([
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "db" },
      spec: { selector: labels, ports: [{ port: 5432 }] },
    },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "db", labels },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: "main",
            image: servers,
            ...shell(script.replace("&& exec", `&& ${access} && exec`)),
            startupProbe: {
              exec: { command: ["pg_isready", "-h", "127.0.0.1"] },
              ...{ periodSeconds: 1, failureThreshold: 60 },
            },
            volumeMounts: [{ name: "data", mountPath: "/data" }],
          },
        ],
        volumes: [{ name: "data", emptyDir: {} }],
      },
    },
  ]);
  await home.until("Pod", "db", has("Ready"));
  const query = shell(`psql -h db.${home.name} -U nobody -Atc 'select 6*7' postgres && nats-server --version`);
  const job = await home.runJob("query", { ...query, image: servers });
  expect(job).toEqual({ log: expect.stringMatching(/^42\nnats-server: v2/), succeeded: true });
});
