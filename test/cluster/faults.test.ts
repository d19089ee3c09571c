import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { KubeConfig, type V1ConfigMap, Watch } from "@kubernetes/client-node";
import { afterAll, expect, inject, test } from "vitest";
import { connect } from "../../shared/cluster/client.ts";
import { openCluster } from "./cluster.ts";
import { programNames } from "./machine/programs.ts";
import { sweep } from "./machine/sweep.ts";
import { has } from "./objects.ts";

/** A cluster by a process that can be killed. */
async function start(program: string): Promise<{ owner: ChildProcess; folder: string }> {
  const owner = spawn(process.execPath, [join(import.meta.dirname, program)], { stdio: ["pipe", "pipe", "inherit"] });
  afterAll(() => void owner.kill("SIGKILL"));
  const folder = await new Promise<string>((resolve, reject) => {
    createInterface({ input: owner.stdout }).once("line", resolve);
    owner.once("exit", () => reject(new Error(`${program} ended`)));
  });
  return { owner, folder };
}

const { owner, folder } = await start("owner-process.ts");
const cluster = await openCluster(folder);
const home = await cluster.namespace("faults");

test("kill() of API server and etcd ends a watch and loses nothing, start() lets another watch begin", async () => {
  const box = (name: string) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name } });
  await home.apply(box("before"));
  const first = watchBoxes();
  await expect.poll(() => first.seen).toContain("before");
  await cluster.kill("kube-apiserver");
  await cluster.kill("etcd");
  await first.ended;
  await expect(home.kubectl("get", "configmap", "before")).rejects.toThrow("EOF");

  await cluster.start("etcd");
  await cluster.start("kube-apiserver");
  const second = watchBoxes();
  await expect.poll(() => second.seen).toContain("before");
  await home.apply(box("after"));
  await expect.poll(() => second.seen).toContain("after");
  await second.end();
  await second.ended;
});

test("restart() of all that k3s is in one process leaves a node that takes pods", async () => {
  await cluster.restart(...programNames);
  expect(await home.runJob("after", { command: ["echo", "runs"] })).toEqual({ log: "runs\n", succeeded: true });
});

test("connection() is refused, reset or silent when it is cut, and whole when it is mended", async () => {
  const connection = await cluster.connection();
  const config = new KubeConfig();
  config.loadFromString(connection.kubeconfig());
  const ask = () => connect(config, 1000).core.readNamespace({ name: home.name });
  await ask();
  await connection.cut("refuse");
  await expect(ask()).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
  await connection.mend();
  await ask();
  await connection.cut("reset");
  await expect(ask()).rejects.toMatchObject({ cause: { code: "ECONNRESET" } });
  await connection.mend();
  await connection.cut("silence");
  await expect(ask()).rejects.toMatchObject({ name: "TimeoutError" });
  await connection.mend();
  await ask();
  await connection.close();
});

test("a cluster is gone without a trace when its owner was killed", async () => {
  await home.apply(pod());
  await home.until("Pod", "stays", has("Ready"));
  expect(tracesOf(folder)).toMatchObject({ folder: true, processes: expect.arrayContaining([expect.any(Number)]) });
  owner.kill("SIGKILL");
  await expect.poll(() => tracesOf(folder)).toEqual(nothing);
});

test("sweep() removes what is left when the keeper was killed as well, and nothing of those that live", async () => {
  const killed = await start("machine/keeper-process.ts");
  killed.owner.kill("SIGKILL");
  await expect.poll(() => tracesOf(killed.folder).processes).toEqual([]);
  await sweep();
  expect(tracesOf(killed.folder)).toEqual(nothing);
  const living = await openCluster(inject("cluster"));
  expect(tracesOf(living.folder)).toMatchObject({
    folder: true,
    processes: expect.arrayContaining([expect.any(Number)]),
  });
  await living.kubectl("get", "nodes");
});

const pod = () => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "stays" },
  spec: { containers: [{ name: "main", image: "keepsake.test/busybox:1", command: ["sleep", "1000"] }] },
});

const nothing = { folder: false, processes: [], groups: [] };

/** What there is of a cluster on this machine. Its processes name its folder, or have it in their mounts. */
function tracesOf(folder: string) {
  const id = folder.slice(folder.lastIndexOf("/") + 1);
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== owner.pid);
  const mentions = (pid: string, file: string) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, "utf8").includes(folder);
    } catch {
      return false; // it has ended
    }
  };
  const processes = pids.filter((pid) => mentions(pid, "cmdline") || mentions(pid, "mountinfo")).map(Number);
  const trees = ["", ...readdirSync("/sys/fs/cgroup")];
  const groups = trees.map((tree) => join("/sys/fs/cgroup", tree, `keepsake-${id}`)).filter((path) => existsSync(path));
  return { folder: existsSync(folder), processes, groups };
}

/** The names of ConfigMaps that a watch tells, from the beginning on. */
function watchBoxes() {
  const seen: string[] = [];
  const stop = Promise.withResolvers<AbortController>();
  const ended = new Promise<void>((resolve) => {
    const take = (_type: string, box: V1ConfigMap) => seen.push(box.metadata?.name ?? "");
    const watch = new Watch(cluster.config());
    stop.resolve(watch.watch(`/api/v1/namespaces/${home.name}/configmaps`, {}, take, () => resolve()));
  });
  return { seen, ended, end: () => stop.promise.then((controller) => controller.abort()) };
}
