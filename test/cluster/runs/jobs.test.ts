import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { V1Job } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { connect } from "../../../shared/cluster/client.ts";
import { clusterRuns } from "../../../shared/cluster/cluster-runs.ts";
import { jobName } from "../../../shared/cluster/names.ts";
import { clusterView } from "../../../shared/cluster/place.ts";
import { initNas, openNas } from "../../../shared/nas/nas.ts";
import { recordOutcome } from "../../../shared/run/outbox.ts";
import type { Outcome, RunLine } from "../../../shared/run/report.ts";
import { boxConfig, describeOutcome, describeRun, silentLog, testDisk } from "../../../shared/testing.ts";
import { busybox } from "../images/busybox.ts";
import { joinCluster } from "../join.ts";
import { has } from "../objects.ts";

const cluster = await joinCluster();
const home = await cluster.namespace("jobs");
const nas = join(home.folder, "nas");
await mkdir(nas, { recursive: true });
await initNas(nas, testDisk());

const told: Outcome[] = [];
const config = boxConfig(
  "/etc/keepsake/keepsake.yaml",
  `nas: ${nas}\ncluster: {}\napps: {box: {kubernetes: {namespace: ${home.name}}}}`,
);
const api = connect(cluster.config());
let isNatsAway = false;
const tell = async (outcome: Outcome) => {
  if (isNatsAway) throw new Error("NATS is away");
  told.push(outcome);
};
const runs = clusterRuns({ cluster: api, config, tell, log: silentLog, patienceMs: 4_000 });
const place = clusterView(api, config);

const progress: RunLine = { type: "progress", at: "2025-12-19T18:00:00Z", phase: "copying" };
const said = (line: RunLine) => `echo '${JSON.stringify(line)}'`;

/** The CronJob of the box whose runner is a line for the shell. */
async function cronJob(line: string, container: object = {}, pod: object = {}): Promise<void> {
  const main = { name: "runner", image: busybox, command: ["sh", "-c", line], ...container };
  const template = {
    metadata: { labels: { "keepsake.dev/app": "box" } },
    spec: { restartPolicy: "Never", terminationGracePeriodSeconds: 5, containers: [main], ...pod },
  };
  await home.apply({
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name: "keepsake-box" },
    spec: {
      schedule: "0 0 1 1 *",
      suspend: true,
      jobTemplate: {
        metadata: { labels: { "keepsake.dev/app": "box" } },
        spec: { backoffLimit: 0, activeDeadlineSeconds: 300, ttlSecondsAfterFinished: 600, template },
      },
    },
  });
}

async function linesOf(id: string, after = 0): Promise<string[]> {
  const lines: string[] = [];
  for await (const { number, line } of runs.follow(id, { after, signal: AbortSignal.timeout(60_000) }))
    lines.push(`${number} ${line.type === "outcome" ? line.outcome : line.type === "progress" ? line.phase : ""}`);
  return lines;
}
const endOf = async (id: string) => {
  await linesOf(id);
  return (await runs.find(id))?.outcome;
};

test("a run is a Job of its CronJob, started once, and followed live to its outcome", async () => {
  const run = describeRun({ id: "followed" });
  await cronJob(`echo "$KEEPSAKE_RUN"; ${said(progress)}; sleep 1; ${said(describeOutcome(run))}`, {
    env: [{ name: "KEEPSAKE_RUN", valueFrom: { fieldRef: { fieldPath: "metadata.annotations['keepsake.dev/run']" } } }],
  });
  expect(await runs.start(run)).toBe(true);
  expect(await runs.start(run)).toBe(false);
  expect((await runs.active("box", "main"))?.id).toBe("followed");
  expect(await runs.active("box", "scrub")).toBeUndefined();
  // The first line is what the pod knows of its run.
  expect(await linesOf("followed")).toEqual(["2 copying", "3 created"]);
  expect(await linesOf("followed", 2)).toEqual(["3 created"]);
  expect(await runs.find("followed")).toMatchObject({ run, outcome: { outcome: "created" } });
  const [job] = await home.list<V1Job>("Job");
  expect(job?.metadata?.ownerReferences).toMatchObject([{ kind: "CronJob", name: "keepsake-box" }]);
  expect(await home.logs(`job/${job?.metadata?.name}`)).toContain(JSON.stringify(run));
  expect(await runs.find("another")).toBeUndefined();
  expect(await runs.cancel("followed")).toBe(false);
});

test("a run that left its outcome with its pod alone is known by that, and is still to be recorded", async () => {
  const run = describeRun({ id: "left" });
  await cronJob(`echo '${JSON.stringify(describeOutcome(run))}' >/dev/termination-log`);
  await runs.start(run);
  expect(await endOf("left")).toMatchObject({ outcome: "created", runId: "left" });
  const lost = async () => (await place.lost("box")).find(({ run }) => run.id === "left");
  await expect.poll(lost, { timeout: 20_000 }).toMatchObject({ outcome: { outcome: "created" } });
});

test("a run that found another one at work has nothing to record", async () => {
  const run = describeRun({ id: "busy" });
  const failure = { code: "app_busy" as const, message: "Cannot start", retryable: true };
  await cronJob(
    `echo '${JSON.stringify(describeOutcome(run, { outcome: "refused", failure }))}' >/dev/termination-log; exit 1`,
  );
  await runs.start(run);
  expect(await endOf("busy")).toMatchObject({ outcome: "refused" });
  await home.until("Job", jobName("box", "busy"), has("Failed"), 30_000);
  expect((await place.lost("box")).map(({ run }) => run.id)).not.toContain("busy");
});

test("a run whose Job is gone is known by its record on the NAS", async () => {
  const outcome = describeOutcome(describeRun({ id: "long-ago" }));
  await recordOutcome(openNas(nas).app("box"), outcome, testDisk());
  expect(await runs.find("long-ago")).toMatchObject({ run: { app: "box", request: { operation: "backup" } }, outcome });
  expect(await linesOf("long-ago")).toEqual(["1 created"]);
});

test("a run that is killed is told of with what killed it", async () => {
  await cronJob("tail /dev/zero", { resources: { limits: { memory: "20Mi" } } });
  await runs.start(describeRun({ id: "hungry" }));
  expect(await endOf("hungry")).toMatchObject({
    outcome: "interrupted",
    message: expect.stringContaining("the runner needed more memory than its limit of 20Mi"),
  });
  const lost = async () => (await place.lost("box")).find(({ run }) => run.id === "hungry");
  await expect.poll(lost, { timeout: 20_000 }).toMatchObject({ why: expect.stringContaining("more memory") });
});

test("a run that is cancelled is asked to end, and ends as its runner says", async () => {
  const run = describeRun({ id: "cancelled" });
  const cancelled = describeOutcome(run, { outcome: "cancelled" });
  await cronJob(
    `trap "${said(cancelled).replaceAll('"', '\\"')}; exit 1" TERM; ${said(progress)}; while :; do sleep 0.1; done`,
  );
  await runs.start(run);
  const end = endOf("cancelled");
  await expect.poll(async () => (await runs.find("cancelled"))?.progress?.phase, { timeout: 20_000 }).toBe("copying");
  expect(await runs.cancel("cancelled")).toBe(true);
  expect(await end).toMatchObject({ outcome: "cancelled" });
});

/** What is in the way, and how that is said. */
const hindrances: [what: string, container: object, pod: object, why: RegExp][] = [
  [
    "an image that is not there",
    { image: "keepsake.test/nowhere:1", imagePullPolicy: "IfNotPresent" },
    {},
    /^Cannot start the backup of "box": .*image.*keepsake\.test\/nowhere:1.* cannot be pulled/,
  ],
  [
    "a claim that is not there",
    {},
    { volumes: [{ name: "data", persistentVolumeClaim: { claimName: "nowhere" } }] },
    /the claim "nowhere" is not there/,
  ],
  [
    "a secret that is not there",
    { env: [{ name: "X", valueFrom: { secretKeyRef: { name: "nowhere", key: "x" } } }] },
    {},
    /the secret "nowhere" is not there/,
  ],
  [
    "a config map that is not there",
    { volumeMounts: [{ name: "config", mountPath: "/etc/x" }] },
    { volumes: [{ name: "config", configMap: { name: "nowhere" } }] },
    /the configmap "nowhere" is not there/,
  ],
  ["no node that fits", {}, { nodeSelector: { "keepsake.dev/nowhere": "true" } }, /no node matches its node rules/],
  [
    "an export that is refused",
    { volumeMounts: [{ name: "export", mountPath: "/nas" }] },
    { volumes: [{ name: "export", nfs: { server: "127.0.0.1", path: "/nowhere" } }] },
    /the NAS refuses the export/,
  ],
  [
    "more memory than there is",
    { resources: { requests: { memory: "100Ti" } } },
    {},
    /no node has room for it: Insufficient memory/,
  ],
  // Last: the server keeps this under a second, older name.
  ["an account that is not there", {}, { serviceAccountName: "nowhere" }, /the account "nowhere" is not there/],
];

test("runs that cannot begin say why, and are told of once", async () => {
  const ended = [];
  for (const [what, container, pod, why] of hindrances) {
    await cronJob("true", container, pod);
    const id = `hindered-${what.replaceAll(" ", "-")}`;
    await runs.start(describeRun({ id }));
    ended.push({ id, why, outcome: endOf(id) });
  }
  for (const { id, why, outcome } of ended) {
    expect(await outcome, id).toMatchObject({
      outcome: "failed",
      failure: { code: "job_cannot_start", message: expect.stringMatching(why), hint: expect.any(String) },
    });
    expect(told.filter(({ runId }) => runId === id)).toEqual([await outcome]);
  }
  const lost = await place.lost("box");
  for (const { id, outcome } of ended)
    expect(lost.find(({ run }) => run.id === id)).toMatchObject({ outcome: await outcome });
  expect(await runs.active("box", "main")).toBeUndefined();
});

test("what could not be told, because NATS was away, is told when the app is looked at", async () => {
  isNatsAway = true;
  await cronJob("true", {}, { nodeSelector: { "keepsake.dev/nowhere": "true" } });
  await runs.start(describeRun({ id: "untold" }));
  expect(runs.isSeeingTo()).toBe(true);
  const outcome = await endOf("untold");
  expect(outcome).toMatchObject({ failure: { code: "job_cannot_start" } });
  const tellings = () => told.filter(({ runId }) => runId === "untold");
  expect(tellings()).toEqual([]);
  isNatsAway = false;
  expect(await runs.active("box", "main")).toBeUndefined();
  expect(tellings()).toEqual([outcome]);
  await runs.active("box", "main");
  expect(tellings()).toHaveLength(1);
  await expect.poll(() => runs.isSeeingTo()).toBe(false);
});

test("a run without its CronJob is refused with what to do", async () => {
  await home.delete("CronJob", "keepsake-box", { propagation: "Orphan" });
  await expect(runs.start(describeRun({ id: "orphan" }))).rejects.toMatchObject({
    code: "job_cannot_start",
    hint: expect.stringContaining("make deploy"),
  });
});
