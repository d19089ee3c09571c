import { chmod, mkdir, readdir, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { KubeConfig, type V1Pod } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { writeSave } from "../../../deploy/local/lab/factorio/make-save.ts";
import { accounts } from "../../../deploy/manifests/accounts.ts";
import { configMaps } from "../../../deploy/manifests/config-maps.ts";
import { cronJobs } from "../../../deploy/manifests/cron-jobs.ts";
import { functionsAccount, siteOf } from "../../../deploy/manifests/site.ts";
import { loadAppTypes } from "../../../functions/types.ts";
import { connect } from "../../../shared/cluster/client.ts";
import { clusterRuns } from "../../../shared/cluster/cluster-runs.ts";
import { jobName } from "../../../shared/cluster/names.ts";
import { clusterView } from "../../../shared/cluster/place.ts";
import { parseConfig } from "../../../shared/config.ts";
import { initNas, markerPath, openNas } from "../../../shared/nas/nas.ts";
import type { RunDescription } from "../../../shared/run/description.ts";
import { readOutcome } from "../../../shared/run/outbox.ts";
import type { Outcome } from "../../../shared/run/report.ts";
import { silentLog, testDisk } from "../../../shared/testing.ts";
import { done } from "../api.ts";
import { keepsake, keepsakeImage } from "../images/keepsake.ts";
import { joinCluster } from "../join.ts";
import { has } from "../objects.ts";

/* Runs in Jobs of the project's own image and manifests, started by the functions' own account. */

const cluster = await joinCluster();
const [home, functions] = await Promise.all([cluster.namespace("runner"), cluster.namespace("runner-functions")]);
const [nas, saves] = await Promise.all([home.nfsExport("nas"), home.localClaim("saves")]);
await cluster.load(keepsake, keepsakeImage);
await initNas(nas.folder, testDisk());
await mkdir(join(saves.folder, "saves"));
await writeSave(join(saves.folder, "saves/_autosave1.zip"), "_autosave1", {
  seed: 7,
  tick: 60,
  saves: 1,
  levelBytes: 9000,
});
for (const folder of [nas.folder, join(nas.folder, ".keepsake")]) await chmod(folder, 0o777);

const textOf = (more: string) => `
cluster: { image: "${keepsake}", functionNamespace: ${functions.name} }
nasExport: { server: ${nas.server}, path: ${nas.path} }
apps: { factorio: { scrubMegabytesPerSecond: 0.0001, kubernetes: { namespace: ${home.name}, claim: ${saves.claim}, secrets: {} } } }
${more}`;
const types = await loadAppTypes();
const configPath = "/etc/keepsake/keepsake.yaml";
const site = siteOf(parseConfig(textOf(""), configPath, types), textOf(""));
const items = [...accounts(site), ...configMaps(site), ...cronJobs(site, new Map())];
await home.apply(items);

// A function has the export elsewhere than a run.
const config = parseConfig(textOf(`nas: ${nas.folder}`), configPath, types);
const kubeconfig = new KubeConfig();
kubeconfig.loadFromString(await functions.kubeconfigOf(functionsAccount));
const api = connect(kubeconfig);
const tell = async () => {};
const runs = clusterRuns({ cluster: api, config, tell, log: silentLog });
const place = clusterView(api, config);
const folders = openNas(nas.folder).app("factorio");

async function carryOut(id: string, request: RunDescription["request"]): Promise<Outcome | undefined> {
  const startedAt = new Date().toISOString();
  await runs.start({ id, function: "backup-factorio", app: "factorio", request, startedBy: "test", startedAt });
  for await (const _ of runs.follow(id, { signal: AbortSignal.timeout(60_000) }));
  return (await runs.find(id))?.outcome;
}
const backup: RunDescription["request"] = { operation: "backup", app: "factorio", allow: [] };
const recorded = async () =>
  (await Promise.all([folders.outbox, folders.runs].map((folder) => readdir(folder)))).flat();
const lostIds = async () => (await place.lost("factorio")).map(({ run }) => run.id);

test("a backup is made by a Job as the owner of the data, from a claim to the NAS", async () => {
  expect(await carryOut("backup-factorio-1", backup)).toMatchObject({ outcome: "created", point: { files: [{}] } });
  const save = await readFile(join(saves.folder, "saves/_autosave1.zip"));
  expect(await readFile(join(folders.backups, "latest.zip"))).toEqual(save);
  expect((await stat(join(folders.backups, "latest.zip"))).uid).toBe(845);
  expect(await recorded()).toContain("backup-factorio-1.outcome.json");
  const job = await home.get("Job", jobName("factorio", "backup-factorio-1"));
  await home.until("Job", job?.metadata.name ?? "", has("Complete"), 30_000);
  const selector = `batch.kubernetes.io/job-name=${job?.metadata.name}`;
  const [pod] = await home.list<V1Pod>("Pod", selector);
  // What is left when NAS and NATS are away, and the log as well.
  const left = JSON.parse(pod?.status?.containerStatuses?.[0]?.state?.terminated?.message ?? "");
  expect(left).toMatchObject({ type: "outcome", runId: "backup-factorio-1", outcome: "created" });
  // The lock was given back.
  expect(await place.lockHolder(folders, "main")).toBeUndefined();
  expect(await carryOut("backup-factorio-2", backup)).toMatchObject({ outcome: "unchanged" });
  expect(await lostIds()).toEqual([]);
});

test("a run without the NAS is known by its pod, and recorded by the next one", async () => {
  const marker = markerPath(nas.folder);
  await rename(marker, `${marker}.away`);
  const outcome = await carryOut("backup-factorio-3", backup);
  expect(outcome).toMatchObject({ outcome: "failed", failure: { code: "nas_not_marked" } });
  await rename(`${marker}.away`, marker);
  await home.until("Job", jobName("factorio", "backup-factorio-3"), has("Failed"), 30_000);
  expect(await lostIds()).toEqual(["backup-factorio-3"]);
  expect(await carryOut("backup-factorio-4", { operation: "flush", app: "factorio" })).toMatchObject({
    outcome: "flushed",
  });
  expect(await recorded()).toContain("backup-factorio-3.outcome.json");
  expect(await readOutcome(folders, "backup-factorio-3")).toMatchObject({ failure: { code: "nas_not_marked" } });
  expect(await lostIds()).toEqual([]);
});

/** A scrub that takes its time, once it reads. */
async function startScrub(id: string): Promise<string> {
  const request = { operation: "scrub", app: "factorio", all: true } as const;
  const startedAt = new Date().toISOString();
  await runs.start({ id, function: "backup-factorio", app: "factorio", request, startedBy: "test", startedAt });
  await expect.poll(async () => (await runs.find(id))?.progress?.phase).toBe("reading back");
  const selector = `batch.kubernetes.io/job-name=${jobName("factorio", id)}`;
  const [pod] = await home.list("Pod", selector);
  return pod?.metadata.name ?? "";
}

test("a run that is cancelled ends as cancelled, and one whose node is drained as interrupted: both are on record", async () => {
  await startScrub("backup-factorio-cancelled");
  expect(await runs.cancel("backup-factorio-cancelled")).toBe(true);
  const recordOf = (id: string) => expect.poll(() => readOutcome(folders, id));
  await recordOf("backup-factorio-cancelled").toMatchObject({ outcome: "cancelled", message: "The run was cancelled" });

  const pod = await startScrub("backup-factorio-drained");
  const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: pod, namespace: home.name } };
  await done(cluster.api("POST", `/api/v1/namespaces/${home.name}/pods/${pod}/eviction`, eviction));
  await recordOf("backup-factorio-drained").toMatchObject({
    outcome: "interrupted",
    message: expect.stringContaining("its node was drained"),
  });
  await expect.poll(() => runs.active("factorio", "scrub")).toBeUndefined();
});

test("a run whose runner is killed is told of by the next one, with what Kubernetes says", async () => {
  const id = "backup-factorio-5";
  // So little memory that Node does not come up.
  await setMemory("20Mi");
  expect(await carryOut(id, backup)).toMatchObject({
    outcome: "interrupted",
    message: expect.stringContaining("the runner needed more memory than its limit of 20Mi"),
  });
  await setMemory("512Mi");
  await carryOut("backup-factorio-6", { operation: "flush", app: "factorio" });
  expect(await readOutcome(folders, id)).toMatchObject({
    outcome: "interrupted",
    message: expect.stringContaining("the runner needed more memory than its limit of 20Mi"),
  });
});

const setMemory = (memory: string) =>
  home.kubectl(
    "patch",
    "cronjob",
    "keepsake-factorio",
    "--type=json",
    `--patch=${JSON.stringify([
      {
        op: "replace",
        path: "/spec/jobTemplate/spec/template/spec/containers/0/resources/limits/memory",
        value: memory,
      },
      {
        op: "replace",
        path: "/spec/jobTemplate/spec/template/spec/containers/0/resources/requests/memory",
        value: "10Mi",
      },
    ])}`,
  );
