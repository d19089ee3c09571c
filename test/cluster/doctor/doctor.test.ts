import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkClock } from "../../../deploy/cluster/check-cluster.ts";
import { checkNas } from "../../../deploy/cluster/check-nas.ts";
import { checkCluster, readSite } from "../../../deploy/cluster/doctor.ts";
import { readStack } from "../../../deploy/cluster/stack.ts";
import { connect } from "../../../shared/cluster/client.ts";
import { prepareNas } from "../../../shared/nas/prepare-nas.ts";
import { tempFolder } from "../../../shared/testing.ts";
import { keepsake, keepsakeImage } from "../images/keepsake.ts";
import { joinCluster } from "../join.ts";
import { install } from "../policies/install.ts";

const cluster = await joinCluster();
await cluster.load(keepsake, keepsakeImage);
const home = await cluster.namespace("nas");
const { folder, server, path } = await home.nfsExport("nas");
const nas = { server, path };
const { site, functions, games, databases } = await install(cluster, { image: keepsake, nas });
const api = connect(cluster.config());
const stack = await readStack(join(import.meta.dirname, "../../.."));

/** What the doctor says, by what it says it of. */
async function examined(): Promise<Map<string, { ok: boolean; found: string; remedy?: string }>> {
  const found = new Map();
  for await (const { what, ...rest } of checkCluster(api, site, { ...stack, functionNames: ["backup-sdtd"] })) {
    const before = found.get(what);
    found.set(what, before && !before.ok ? before : rest);
  }
  return found;
}

const secretOf = (name: string, stringData: Record<string, string>) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name },
  stringData,
});

const deployment = (name: string, spec: object, kind = "Deployment", labels = {}) => ({
  apiVersion: "apps/v1",
  kind,
  metadata: { name, labels },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: "main", image: "example.org/none:1" }], ...spec },
    },
  },
});

test("the doctor names what a cluster lacks, with the remedy, and is content once it is there", async () => {
  const sick = await examined();
  expect(sick.get("Kubernetes")).toMatchObject({ ok: true });
  expect(sick.get("clock")).toMatchObject({ ok: true });
  expect(sick.get("sdtd: workload")).toMatchObject({
    ok: false,
    found: expect.stringContaining('Deployment "sdtd-7dtd"'),
    remedy: expect.stringContaining("apps.sdtd.kubernetes.workload"),
  });
  expect(sick.get("sdtd: claim")).toMatchObject({ ok: false, found: '"sdtd-7dtd-gamefiles" is not there' });
  expect(sick.get("sdtd: NAS")).toMatchObject({ ok: false, found: expect.stringContaining("the marker") });
  expect(sick.get("functions")).toMatchObject({ ok: false, found: expect.stringContaining("nats-url") });
  for (const what of ["policies", "accounts and roles", "CronJobs", "settings and network policies"])
    expect(sick.get(what), what).toMatchObject({ ok: expect.any(Boolean) });
  expect(sick.get("policies")).toMatchObject({ ok: true });
  expect(sick.get("sdtd: a run can be started")).toMatchObject({ ok: true });

  // What there is to mend, mended.
  for (const secret of stack.secretNames) {
    // Who has no Telegram has an empty one.
    const value = secret.startsWith("keepsake-") ? "x" : "";
    await functions.apply(secretOf(secret, { [secret]: value }));
  }
  await games.apply(secretOf("sdtd-telnet", { password: "x" }));
  await databases.apply(secretOf("postgresql", { "postgres-password": "x" }));
  for (const { name, kubernetes } of site.apps)
    if (kubernetes.claim !== undefined) {
      const volume = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Mi" } } };
      const claim = {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: { name: kubernetes.claim },
        spec: volume,
      };
      await (name === "postgresql" ? databases : games).apply(claim);
    }
  await prepareNas(
    folder,
    site.apps.map(({ name, kubernetes: { user = { uid: 0, gid: 0 } } }) => ({ name, user })),
  );
  await games.apply(deployment("sdtd-7dtd", {}));
  await games.apply(deployment("webui", {}, "StatefulSet", { app: "webui" }));
  const well = await examined();
  // OpenFaaS is not on this cluster.
  const connectors = ["cron-connector", "nats-connector"];
  expect([...well].filter(([, { ok }]) => !ok).map(([what]) => what)).toEqual(connectors);
});

test("the doctor sees a policy that is gone, a CronJob that was changed, other node rules, and an app at zero", async () => {
  const name = `keepsake-workloads-${functions.name}`;
  await cluster.kubectl("delete", "validatingadmissionpolicy", name);
  await games.patch("CronJob", "keepsake-sdtd", { spec: { suspend: false } });
  await games.scale("Deployment", "sdtd-7dtd", 0);
  await games.apply(deployment("webui", { nodeSelector: { disk: "fast" } }, "StatefulSet", { app: "webui" }));
  const sick = await examined();
  expect(sick.get("policies")).toMatchObject({
    ok: false,
    found: `ValidatingAdmissionPolicy ${name} is not there`,
    remedy: expect.stringContaining("make deploy"),
  });
  expect(sick.get("CronJobs")).toMatchObject({ ok: false, found: expect.stringContaining("keepsake-sdtd is another") });
  expect(sick.get("sdtd: workload")).toMatchObject({
    ok: false,
    found: expect.stringContaining("nobody has started it"),
  });
  expect(sick.get("open-webui: node rules")).toMatchObject({
    ok: false,
    found: expect.stringContaining("lacks the node selector disk=fast"),
  });
});

test("the doctor tells what of the incumbent's a run cannot use, with the line that mends it", async () => {
  // As another system has left them that was root.
  await mkdir(join(folder, "sdtd/backups/history"), { recursive: true });
  const sick = await examined();
  expect(sick.get("sdtd: NAS")).toEqual({
    ok: false,
    found: `1000:1000 cannot use ${nas.path}/sdtd/backups`,
    remedy: `On ${nas.server}, as root: mkdir -p '${nas.path}/sdtd' && chown -R 1000:1000 '${nas.path}/sdtd'`,
  });
  expect(sick.get("postgresql: NAS")).toMatchObject({ ok: true });
});

test("the doctor tells why no pod has the export", async () => {
  const elsewhere = { ...site, config: { ...site.config, nasExport: { ...nas, path: `${nas.path}/none` } } };
  const [app] = site.apps.filter(({ name }) => name === "sdtd");
  if (!app) throw new Error("sdtd is wanted");
  const [check] = await checkNas(api, { ...elsewhere, apps: [app] });
  expect(check).toMatchObject({ ok: false, found: expect.stringMatching(/^the NAS refuses the export: /) });
});

test("the doctor changes nothing", async () => {
  const all = () =>
    cluster.kubectl("get", "cronjobs,roles,configmaps,networkpolicies,jobs,leases", "-n", games.name, "-o", "json");
  const versions = async () =>
    JSON.parse(await all()).items.map((item: { metadata: { name: string; resourceVersion: string } }) => [
      item.metadata.name,
      item.metadata.resourceVersion,
    ]);
  const files = () => readdir(folder, { recursive: true });
  const before = [await versions(), await files()];
  await examined();
  expect([await versions(), await files()]).toEqual(before);
});

test("checkClock() compares the clocks", async () => {
  expect(await checkClock(api, () => Date.now() + 3_600_000)).toMatchObject({
    ok: false,
    found: expect.stringMatching(/^the cluster's is 3[56]\d\d s from this machine's$/),
  });
});

test("a keepsake.yaml that is no cluster's is refused", async () => {
  const path = new URL("../../../deploy/keepsake.yaml", import.meta.url).pathname;
  expect((await readSite(path)).text).toBe(await readFile(path, "utf8"));
  expect(stack.functionNames).toHaveLength(15);
  const local = join(await tempFolder(), "keepsake.yaml");
  await writeFile(local, "nas: ./nas\n");
  await expect(readSite(local)).rejects.toMatchObject({ code: "invalid_config" });
});
