import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { afterAll, expect, test } from "vitest";
import { connect } from "../../../shared/cluster/client.ts";
import { clusterRuns } from "../../../shared/cluster/cluster-runs.ts";
import { takeLease } from "../../../shared/cluster/lease.ts";
import { initNas } from "../../../shared/nas/nas.ts";
import type { RunLine } from "../../../shared/run/report.ts";
import { boxConfig, describeOutcome, describeRun, silentLog, testDisk } from "../../../shared/testing.ts";
import { busybox } from "../images/busybox.ts";
import { has } from "../objects.ts";
import { startCluster } from "../start.ts";

/* What happens to the API, and to the way there, while a run goes on. */

const cluster = await startCluster();
afterAll(() => cluster.stop());
const home = await cluster.namespace("survival");
const nas = join(home.folder, "nas");
await mkdir(nas, { recursive: true });
await initNas(nas, testDisk());
const line = await cluster.connection();
afterAll(() => line.close());

const config = boxConfig(
  "/etc/keepsake/keepsake.yaml",
  `nas: ${nas}\ncluster: {}\napps: {box: {kubernetes: {namespace: ${home.name}}}}`,
);
const kubeconfig = new KubeConfig();
kubeconfig.loadFromString(line.kubeconfig());
const api = connect(kubeconfig, 1000);
const runs = clusterRuns({ cluster: api, config, tell: async () => {}, log: silentLog, silentMs: 1500 });

const progress: RunLine = { type: "progress", at: "2025-12-19T18:00:00Z", phase: "PHASE" };

/** A run that tells a line every tenth of a second, `count` of them, and then how it ended. */
async function startTelling(id: string, count: number): Promise<void> {
  const run = describeRun({ id });
  const lines = `for n in $(seq ${count}); do echo '${JSON.stringify(progress)}' | sed "s/PHASE/$n/"; sleep 0.1; done`;
  const container = {
    name: "runner",
    image: busybox,
    command: ["sh", "-c", `${lines}; echo '${JSON.stringify(describeOutcome(run))}'`],
  };
  const template = { spec: { restartPolicy: "Never", terminationGracePeriodSeconds: 1, containers: [container] } };
  await home.apply({
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name: "keepsake-box" },
    spec: { schedule: "0 0 1 1 *", suspend: true, jobTemplate: { spec: { backoffLimit: 0, template } } },
  });
  await runs.start(run);
}

/** Follows a run, and does something to the way there once it has told its line number 5. */
async function followThrough(id: string, fault: () => Promise<void>): Promise<string[]> {
  const told: string[] = [];
  let done: Promise<void> | undefined;
  for await (const { number, line } of runs.follow(id, { signal: AbortSignal.timeout(90_000) })) {
    told.push(`${number} ${line.type === "progress" ? line.phase : line.type}`);
    if (number >= 5) done ??= fault();
  }
  await done;
  return told;
}

/** Each once, in their order. */
const all = (count: number) => [
  ...Array.from({ length: count }, (_, n) => `${n + 1} ${n + 1}`),
  `${count + 1} outcome`,
];

test.each(["reset", "refuse", "silence"] as const)(
  "a run is followed through a connection that is lost (%s), line by line",
  async (how) => {
    await startTelling(`lost-${how}`, 60);
    const told = await followThrough(`lost-${how}`, async () => {
      await line.cut(how);
      // It must be noticed before it is mended.
      await expect(api.core.readNamespace({ name: home.name })).rejects.toThrow();
      await line.mend();
    });
    expect(told).toEqual(all(60));
  },
);

test("a run is followed, and holds its lock, through a restart of the API server and of etcd", async () => {
  const [pod] = await podsOf("holder");
  const lock = await takeLease(api, pod, "main", describeRun({ id: "holder" }));
  await startTelling("restarted", 100);
  const told = await followThrough("restarted", async () => {
    const back = cluster.restart("etcd", "kube-apiserver");
    // For a second it is known that the lock is held; then it is asked for, and waited for.
    await expect
      .poll(() =>
        api.core.readNamespace({ name: home.name }).then(
          () => "there",
          () => "away",
        ),
      )
      .toBe("away");
    const fences = [lock.fence(), lock.fence()];
    await back;
    await Promise.all(fences);
  });
  expect(told).toEqual(all(100));
  await lock.fence();
  await lock.release();
  expect((await runs.find("restarted"))?.outcome).toMatchObject({ outcome: "created" });
});

/** A pod that runs until it is deleted. */
async function podsOf(name: string) {
  const containers = [{ name: "sleep", image: busybox, command: ["sleep", "1000"] }];
  await home.apply({ apiVersion: "v1", kind: "Pod", metadata: { name }, spec: { containers } });
  await home.until("Pod", name, has("Ready"));
  const pod = await home.get("Pod", name);
  return [{ namespace: home.name, name, uid: pod?.metadata.uid as string }] as const;
}
