import { chmod, chown, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { writeSave } from "../../../deploy/local/lab/factorio/make-save.ts";
import { accounts } from "../../../deploy/manifests/accounts.ts";
import { configMaps } from "../../../deploy/manifests/config-maps.ts";
import { cronJobs } from "../../../deploy/manifests/cron-jobs.ts";
import { functionsAccount, siteOf } from "../../../deploy/manifests/site.ts";
import { loadAppTypes } from "../../../functions/types.ts";
import { connect } from "../../../shared/cluster/client.ts";
import { type ClusterRuns, clusterRuns } from "../../../shared/cluster/cluster-runs.ts";
import { cronJobName, jobName } from "../../../shared/cluster/names.ts";
import { parseConfig } from "../../../shared/config.ts";
import { initNas } from "../../../shared/nas/nas.ts";
import type { RunDescription } from "../../../shared/run/description.ts";
import type { Outcome } from "../../../shared/run/report.ts";
import { silentLog, testDisk } from "../../../shared/testing.ts";
import { killsAtAll } from "../../crash/kill.ts";
import { type ComesBackRow, rememberComesBack } from "../../crash/reliability.ts";
import { keepsake, keepsakeImage } from "../images/keepsake.ts";
import { joinCluster } from "../join.ts";
import { startWitness, type Witness } from "./witness.ts";

/* What happens to the Job of a restore, made of the project's own image and manifests, and the app comes back. */

const cluster = await joinCluster();
const [home, functions] = await Promise.all([cluster.namespace("back"), cluster.namespace("back-functions")]);
const [nas, data] = await Promise.all([home.nfsExport("nas"), home.localClaim("data")]);
await cluster.load(keepsake, keepsakeImage);
await initNas(nas.folder, testDisk());
for (const folder of [nas.folder, join(nas.folder, ".keepsake")]) await chmod(folder, 0o777);
const saves = join(data.folder, "saves");
const factorio = 845;

const rows: ComesBackRow[] = [];
afterAll(async () => {
  if (killsAtAll) await rememberComesBack("jobs", rows);
});

let backedUp: Promise<Outcome | undefined> | undefined;

/** A server over a save that was backed up, and has been played since; Keepsake as it is installed for it. */
async function install(options: { endsAfterSeconds?: number } = {}) {
  await rm(saves, { recursive: true, force: true });
  await mkdir(saves);
  await writeSave(join(saves, "_autosave1.zip"), "_autosave1", { seed: 7, tick: 60, saves: 1, levelBytes: 9000 });
  for (const path of [saves, join(saves, "_autosave1.zip")]) await chown(path, factorio, factorio);
  const witness = await startWitness(home, data.folder, { look: "ls -i saves/*.zip", hold: "saves/*.zip", ...options });
  // The next one has the same claim.
  onTestFinished(() => witness.remove());
  const text = `
cluster: { image: "${keepsake}", functionNamespace: ${functions.name} }
nasExport: { server: ${nas.server}, path: ${nas.path} }
apps:
  factorio:
    warnSeconds: 0
    kubernetes: { namespace: ${home.name}, claim: ${data.claim}, secrets: {}, workload: { name: ${witness.name} } }
`;
  const types = await loadAppTypes();
  const path = "/etc/keepsake/keepsake.yaml";
  const site = siteOf(parseConfig(text, path, types), text);
  const items = [...accounts(site), ...configMaps(site), ...cronJobs(site, new Map())];
  await home.apply(items);
  const kubeconfig = new KubeConfig();
  kubeconfig.loadFromString(await functions.kubeconfigOf(functionsAccount));
  // A function has the export elsewhere than a run.
  const config = parseConfig(`${text}nas: ${nas.folder}`, path, types);
  const runs = clusterRuns({ cluster: connect(kubeconfig), config, tell: async () => {}, log: silentLog });
  const installed = { witness, runs };
  // The next one finds it on the NAS: it has the same save.
  backedUp ??= carryOut(installed, { operation: "backup", app: "factorio", allow: [] });
  expect((await backedUp)?.failure).toBeUndefined();
  return installed;
}
interface Installed {
  readonly witness: Witness;
  readonly runs: ClusterRuns;
}

let count = 0;
/** Starts a run and follows it to its end. */
async function carryOut(
  { runs }: Installed,
  request: RunDescription["request"],
  onPhase: (phase: string, id: string) => Promise<void> = async () => {},
): Promise<Outcome | undefined> {
  count += 1;
  const id = `restore-factorio-${home.name}-${count}`;
  const startedAt = new Date().toISOString();
  await runs.start({ id, function: "restore-factorio", app: "factorio", request, startedBy: "test", startedAt });
  for await (const { line } of runs.follow(id, { signal: AbortSignal.timeout(90_000) }))
    if (line.type === "progress") await onPhase(line.phase, id);
  return (await runs.find(id))?.outcome;
}
const restore = { operation: "restore", app: "factorio", at: "latest", allow: [] } satisfies RunDescription["request"];
const flush = (installed: Installed) => carryOut(installed, { operation: "flush", app: "factorio" });

/** For the shell inside: `$pid` is each process of the run's container. */
async function eachProcess(id: string, line: string): Promise<void> {
  const [pod] = await home.list("Pod", `batch.kubernetes.io/job-name=${jobName("factorio", id)}`);
  const script = `for file in $(grep -l ${pod?.metadata.uid} /proc/[0-9]*/cgroup); do
    pid=\${file#/proc/}; pid=\${pid%/cgroup}
    grep -q keepsake.cjs /proc/$pid/cmdline || continue
    ${line}
  done`;
  await cluster.inside("sh", "-c", script);
}

async function expectBack({ witness }: { witness: Witness }, row: Omit<ComesBackRow, "app">, by = ""): Promise<void> {
  await witness.expectBack();
  const names = (await readdir(saves)).filter((name) => name.endsWith(".zip"));
  expect([["_autosave1.zip"], ["homelab.zip"]]).toContainEqual(names);
  const data = names[0] === "homelab.zip" ? "the restored data" : "its own data";
  rows.push({ ...row, app: `back${by}, over ${data}` });
}

const phases = [
  "preparing beside the present data",
  "stopping the app",
  "putting the data in place",
  "starting the app",
];

test.each(killsAtAll ? phases : ["stopping the app"])(
  "the Job's runner killed with kill -9 when it tells: %s",
  async (when) => {
    const installed = await install({ endsAfterSeconds: 2 });
    const outcome = await carryOut(installed, restore, async (phase, id) => {
      if (phase === when) await eachProcess(id, "kill -9 $pid");
    });
    expect(outcome?.outcome).toMatch(/interrupted|restored/);
    expect(await flush(installed)).toMatchObject({ outcome: "flushed" });
    const row = { fault: "the Job's runner killed (SIGKILL)", when: `"${when}"`, outcome: outcome?.outcome ?? "" };
    await expectBack(installed, row, " by a flush");
  },
);

test("the Job's runner killed because its memory is used up while the app is being stopped", async () => {
  const installed = await install({ endsAfterSeconds: 5 });
  const outcome = await carryOut(installed, restore, async (phase, id) => {
    if (phase !== "stopping the app") return;
    // What uses the memory up is many small ones, so that the kernel takes the runner.
    await eachProcess(id, "echo 1000 >/proc/$pid/oom_score_adj");
    const hogs = "for n in $(seq 14); do dd if=/dev/zero of=/dev/null bs=40M & done; wait";
    await home.kubectl("exec", `job/${jobName("factorio", id)}`, "--", "sh", "-c", hogs).catch(() => {});
  });
  expect(outcome).toMatchObject({ outcome: "interrupted", message: expect.stringContaining("more memory") });
  expect(await flush(installed)).toMatchObject({ outcome: "flushed" });
  await expectBack(
    installed,
    { fault: "the Job out of memory", when: '"stopping the app"', outcome: "interrupted" },
    " by a flush",
  );
});

test("the Job's deadline is over while the app is being stopped", async () => {
  const installed = await install({ endsAfterSeconds: 20 });
  const deadline = { spec: { jobTemplate: { spec: { activeDeadlineSeconds: 12 } } } };
  await home.patch("CronJob", cronJobName("factorio"), deadline);
  const told: string[] = [];
  const outcome = await carryOut(installed, restore, async (phase) => void told.push(phase));
  expect(told).toContain("stopping the app");
  expect(told).not.toContain("putting the data in place");
  expect(outcome?.failure, JSON.stringify(outcome)).toBeDefined();
  await expect.poll(() => installed.witness.expectBack().then(() => "back", String), { timeout: 60_000 }).toBe("back");
  await expectBack(installed, {
    fault: "the Job's deadline is over",
    when: '"stopping the app"',
    outcome: outcome?.outcome ?? "",
  });
});
