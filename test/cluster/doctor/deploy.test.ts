import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { V1CronJob, V1Deployment, V1Secret } from "@kubernetes/client-node";
import { afterAll, expect, test } from "vitest";
import { compareApplied } from "../../../deploy/cluster/applied.ts";
import { deploy } from "../../../deploy/cluster/deploy.ts";
import { checkCluster } from "../../../deploy/cluster/doctor.ts";
import { giveExport } from "../../../deploy/cluster/functions.ts";
import { undeploy } from "../../../deploy/cluster/undeploy.ts";
import { manifestsOf } from "../../../deploy/manifests/manifests.ts";
import { siteOf } from "../../../deploy/manifests/site.ts";
import { loadAppTypes } from "../../../functions/types.ts";
import { connect } from "../../../shared/cluster/client.ts";
import { annotations } from "../../../shared/cluster/names.ts";
import { markText, stoppedAnnotation } from "../../../shared/cluster/stopped-mark.ts";
import { parseConfig } from "../../../shared/config.ts";
import { busybox } from "../images/busybox.ts";
import { keepsake, keepsakeImage } from "../images/keepsake.ts";
import { joinCluster } from "../join.ts";
import { remove } from "../objects.ts";
import { keepWatching } from "../policies/apply.ts";

const cluster = await joinCluster();
const [functions, games, elsewhere] = await Promise.all(
  ["functions", "games", "elsewhere"].map((name) => cluster.namespace(name)),
);
if (!functions || !games || !elsewhere) throw new Error("three namespaces are wanted");
await keepWatching(cluster);
const api = connect(cluster.config());
const functionNames = ["backup-sdtd", "restore-sdtd"];
const stack = { functionNames, secretNames: ["keepsake-config", "nats-url"], topics: [], scheduled: [] };
const { folder, server, path } = await elsewhere.nfsExport("nas");
const nas = { server, path };
await cluster.load(keepsake, keepsakeImage);
const settings = (namespace: string) => `
nasExport: { server: ${nas.server}, path: ${nas.path} }
cluster: { image: "${keepsake}", functionNamespace: ${functions.name}, openfaasNamespace: ${functions.name}, natsNamespace: ${functions.name} }
apps: { sdtd: { kubernetes: { namespace: ${namespace} } } }
`;
const types = await loadAppTypes();
const siteIn = (namespace: string) => {
  const text = settings(namespace);
  return siteOf(parseConfig(text, "/etc/keepsake/keepsake.yaml", types), text);
};
const site = siteIn(games.name);
const home = await mkdtemp(join(tmpdir(), "keepsake-"));
const tokenPath = join(home, "config/token");
const all = [...manifestsOf(site, { functionNames }).values()].flat();
afterAll(async () => {
  await rm(home, { recursive: true });
  // What belongs to no namespace goes with none.
  const ofCluster = all.filter(({ metadata }) => !metadata.namespace);
  await remove(cluster.api, ofCluster);
});

/** One command, with what it said and what it asked. */
async function run(
  work: typeof deploy | typeof undeploy,
  { answer = true, where = site, removeFunctions = async () => {} } = {},
) {
  const said: string[] = [];
  const asked: string[] = [];
  const done = await work({
    ...{ cluster: api, site: where, stack, tokenPath },
    removeFunctions,
    say: (line) => void said.push(line),
    confirm: async (question) => {
      asked.push(question);
      return answer;
    },
  });
  return { done, said: said.join("\n"), asked };
}

/** What the doctor says, by what it says it of. */
async function examined() {
  const found = new Map<string, { ok: boolean; found: string; remedy?: string }>();
  for await (const { what, ...rest } of checkCluster(api, site, stack))
    if (found.get(what)?.ok !== false) found.set(what, rest);
  return found;
}

const cronJob = (name: string, suspend: boolean, ...volumes: object[]) => {
  const containers = [{ name: "main", image: busybox }];
  const spec = { restartPolicy: "Never", containers, volumes: volumes.map((of, at) => ({ name: `v${at}`, ...of })) };
  return {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name },
    spec: { schedule: "0 0 1 1 *", suspend, jobTemplate: { spec: { template: { spec } } } },
  };
};

const deployment = (name: string, { labels = {}, annotations = {}, ...pod }: Record<string, object>) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, labels, annotations },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      // Never scheduled: what is tried here is not what a pod does.
      spec: { schedulerName: "nobody", containers: [{ name: "main", image: site.cluster.image }], ...pod },
    },
  },
});

const inHome = { nfs: { server: nas.server, path: `${nas.path}/sdtd` } };
await games.apply([
  ...[cronJob("backup", false, inHome), cronJob("asleep", true, inHome)],
  cronJob("reads", false, { nfs: { ...inHome.nfs, readOnly: true } }),
  cronJob("of-another-nas", false, { nfs: { server: "other.example.org", path: nas.path } }),
  deployment("sdtd-7dtd", { nodeSelector: { disk: "fast" } }),
]);
// As the CSI driver for NFS makes volumes; this one is the whole export, another only a folder of it.
for (const [name, share] of Object.entries({ all: nas.path, data: `${nas.path}/elsewhere-data` })) {
  const capacity = { accessModes: ["ReadWriteMany"], capacity: { storage: "1Mi" }, storageClassName: "" };
  const csi = { driver: "nfs.csi.k8s.io", volumeHandle: name, volumeAttributes: { server: nas.server, share } };
  const claimRef = { namespace: elsewhere.name, name };
  const volume = `${elsewhere.name}-${name}`;
  await elsewhere.apply([
    {
      ...{ apiVersion: "v1", kind: "PersistentVolume", metadata: { name: volume, labels: { test: elsewhere.name } } },
      spec: { ...capacity, csi, claimRef },
    },
    cronJob(`by-claim-${name}`, false, { persistentVolumeClaim: { claimName: name } }),
  ]);
}

test("deploy() refuses while a secret, a namespace, or the end of another system's job is awaited", async () => {
  await expect(run(deploy)).rejects.toMatchObject({
    code: "target_invalid",
    message: `Cannot deploy: functions: the secret "nats-url" in "${functions.name}" is not there`,
  });
  await functions.kubectl("create", "secret", "generic", "nats-url", "--from-literal=nats-url=");
  await expect(run(deploy, { where: siteIn("nowhere-at-all") })).rejects.toMatchObject({
    message: expect.stringContaining('namespaces: "nowhere-at-all" is not there'),
  });
  await games.kubectl("create", "job", "copying", "--from=cronjob/asleep");
  await expect(run(deploy)).rejects.toMatchObject({
    code: "target_invalid",
    message: expect.stringContaining(`${games.name}/copying is at work`),
  });
  await games.delete("Job", "copying", { propagation: "Foreground" });
});

test("deploy() suspends the incumbent's jobs, wherever they are, when told to", async () => {
  const refused = await run(deploy, { answer: false });
  expect(refused).toMatchObject({ done: false, asked: ["Suspend them?"] });
  const named = refused.said.split("\n").filter((line) => /^ {2}\S/.test(line));
  expect(named.sort()).toEqual([`  ${elsewhere.name}/by-claim-all`, `  ${games.name}/backup`]);
  expect(await games.get("CronJob", "backup")).toMatchObject({ spec: { suspend: false } });

  const done = await run(deploy);
  expect(done.done).toBe(true);
  expect(done.asked).toEqual([
    "Suspend them?",
    `Mark ${nas.server}:${nas.path} as the NAS?`,
    expect.stringMatching(/^Apply \d+ objects\?$/),
  ]);
  expect(done.said).toMatch(/ok +sdtd: workload: Deployment "sdtd-7dtd"/);
  expect(done.said.match(/PROBLEM.*/g)).toEqual([
    expect.stringContaining("sdtd: claim"),
    expect.stringContaining("sdtd: sdtd-telnet"),
  ]);
  // Marked, and open to the user that runs of the app are.
  await stat(join(folder, ".keepsake/export.json"));
  expect(await stat(join(folder, "sdtd"))).toMatchObject({ uid: 1000, gid: 1000 });
  expect(done.said).toContain(
    `To undo it: kubectl patch cronjob backup -n ${games.name} --type=merge --patch='{"spec":{"suspend":false}}'`,
  );
  for (const [home, name] of [[games, "backup"] as const, [elsewhere, "by-claim-all"] as const])
    expect(await home.get("CronJob", name)).toMatchObject({ spec: { suspend: true } });
});

const secret = async (name: string) => {
  const { data = {} } = (await functions.get<V1Secret>("Secret", name)) ?? {};
  return Buffer.from(data[name] ?? "", "base64").toString();
};

test("deploy() keeps the token and the settings, and finds nothing to do a second time", async () => {
  const token = (await readFile(tokenPath, "utf8")).trim();
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  expect((await stat(tokenPath)).mode & 0o777).toBe(0o600);
  expect(await secret("keepsake-token")).toBe(token);
  expect(await secret("keepsake-config")).toBe(settings(games.name));
  const again = await run(deploy);
  expect(again).toMatchObject({ done: true, asked: [] });
  expect(again.said).toMatch(/All \d+ objects are as the settings have them/);
  expect(await secret("keepsake-token")).toBe(token);
});

test("after deploy() runs go where the app goes, and the doctor wants it so", async () => {
  const run = await games.get<V1CronJob>("CronJob", "keepsake-sdtd");
  expect(run?.spec?.jobTemplate.spec?.template.spec?.nodeSelector).toEqual({ disk: "fast" });
  const well = await examined();
  for (const what of ["policies", "accounts and roles", "CronJobs", "settings and network policies"])
    expect(well.get(what), what).toMatchObject({ ok: true });
  expect(well.has("sdtd: node rules")).toBe(false);
  await games.apply(deployment("sdtd-7dtd", { nodeSelector: { disk: "slow" } }));
  expect((await examined()).get("sdtd: node rules")).toMatchObject({
    ok: false,
    found: expect.stringContaining("lacks the node selector disk=slow"),
  });
  await games.apply(deployment("sdtd-7dtd", { nodeSelector: { disk: "fast" } }));
});

test("giveExport() gives it to functions that ask for it and that no policy gave it, once", async () => {
  // As on a cluster that has no such policies.
  const policy = `keepsake-export-${functions.name}`;
  await cluster.kubectl("delete", `mutatingadmissionpolicybinding/${policy}`);
  const asking = { "keepsake.dev/export": "read-only" };
  const make = (name: string, annotations: object) =>
    functions.apply(deployment(name, { labels: { faas_function: name }, annotations }));
  const nfs = async (name: string) => {
    const volumes = (await functions.get<V1Deployment>("Deployment", name))?.spec?.template.spec?.volumes ?? [];
    return volumes.flatMap(({ nfs }) => nfs ?? []);
  };
  // The API server takes a moment to forget it.
  await expect
    .poll(async () => {
      await functions.delete("Deployment", "backup-sdtd");
      await make("backup-sdtd", asking);
      return nfs("backup-sdtd");
    })
    .toEqual([]);
  await make("restore-sdtd", {});
  expect((await examined()).get("functions: export")).toMatchObject({
    ok: false,
    found: "backup-sdtd ask for it, and have it not",
  });
  expect(await giveExport(api, site, functionNames)).toBe(1);
  expect(await nfs("backup-sdtd")).toEqual([{ ...nas, readOnly: true }]);
  expect(await nfs("restore-sdtd")).toEqual([]);
  expect(await giveExport(api, site, functionNames)).toBe(0);
  expect((await examined()).get("functions: export")).toMatchObject({ ok: true });
});

test("undeploy() refuses while a run is at work, or has left its app stopped", async () => {
  await games.apply(deployment("sdtd-7dtd", { annotations: { [stoppedAnnotation]: markText(mark) } }));
  await expect(run(undeploy)).rejects.toMatchObject({
    code: "target_invalid",
    message: `Cannot undeploy: a run has left Deployment "sdtd-7dtd" in "${games.name}" stopped`,
    hint: "The next run brings it back: make backup-sdtd",
  });
  await games.apply(deployment("sdtd-7dtd", {}));
  await games.kubectl("create", "job", "at-work", "--from=cronjob/asleep");
  await games.patch("Job", "at-work", { metadata: { annotations: { [annotations.run]: JSON.stringify(atWork) } } });
  await expect(run(undeploy)).rejects.toMatchObject({
    message: 'Cannot undeploy: the run r-1 of "sdtd" is at work (Job at-work)',
    hint: expect.stringContaining("make cancel-sdtd"),
  });
  await games.delete("Job", "at-work", { propagation: "Foreground" });
});

const mark = { runId: "r-1", replicas: 1, at: "2026-01-01T00:00:00Z" };
const atWork = {
  ...{ id: "r-1", function: "backup-sdtd", app: "sdtd", startedBy: "cron", startedAt: mark.at },
  request: { operation: "backup", app: "sdtd", allow: [] },
};

test("undeploy() removes the functions first, then all but the token and the policies about CronJobs", async () => {
  const states = async () => (await compareApplied(api, all)).filter(({ state }) => state !== "missing");
  const before = (await states()).length;
  const cannot = { removeFunctions: () => Promise.reject(new Error("no faas-cli")) };
  await expect(run(undeploy, cannot)).rejects.toThrow("no faas-cli");
  expect(await states()).toHaveLength(before);

  const token = await secret("keepsake-token");
  const removed: string[] = [];
  const removeFunctions = async () => {
    for (const name of functionNames) await functions.delete("Deployment", name);
    removed.push(...functionNames);
    // Accounts and policies are still there.
    expect(await states()).toHaveLength(before);
  };
  expect(await run(undeploy, { removeFunctions })).toMatchObject({ done: true });
  expect(removed).toEqual(functionNames);
  const left = await states();
  expect(left.length).toBeGreaterThan(0);
  expect(left.every(({ manifest }) => manifest.metadata.name.includes("jobs-alike"))).toBe(true);
  expect(await secret("keepsake-token")).toBe(token);
  expect((await run(undeploy)).said).toContain("Nothing of Keepsake is there to remove");
});
