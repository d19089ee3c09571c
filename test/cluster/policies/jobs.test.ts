import { expect, test } from "vitest";
import { annotations, cronJobName, labels } from "../../../shared/cluster/names.ts";
import { jobOf } from "../../../shared/cluster/run-job.ts";
import type { RunRequest } from "../../../shared/run/description.ts";
import { joinCluster } from "../join.ts";
import { install } from "./install.ts";

const cluster = await joinCluster();
const { games, databases, admin, asFunctions } = await install(cluster);

const jobsOf = (namespace: string) => `/apis/batch/v1/namespaces/${namespace}/jobs`;
const cronJobsOf = (namespace: string) => `/apis/batch/v1/namespaces/${namespace}/cronjobs`;
const dryRun = "?dryRun=All";

/** A Job as a run begins with one. */
async function honest(app = "sdtd", operation: "backup" | "drill" = "backup", namespace = games.name) {
  const request = { operation, app, ...(operation === "backup" && { allow: [] }) } as RunRequest;
  const run = { id: `${operation}-${app}-1`, function: "backup", app, request, startedBy: "cron", startedAt: "now" };
  const shape = operation === "drill" ? "drill" : undefined;
  const cronJob = (await admin("GET", `${cronJobsOf(namespace)}/${cronJobName(app, shape)}`)).object;
  // biome-ignore lint/suspicious/noExplicitAny: what a forger makes of it has any shape
  return structuredClone(jobOf(cronJob, run)) as any;
}
// biome-ignore lint/suspicious/noExplicitAny: as above
type Job = any;

test.concurrent.each([
  ["sdtd", "backup", games.name],
  ["open-webui", "backup", games.name],
  ["postgresql", "backup", databases.name],
  ["postgresql", "drill", databases.name],
] as const)("the functions start %s's %s", async (app, operation, namespace) => {
  const answer = await asFunctions("POST", jobsOf(namespace) + dryRun, await honest(app, operation, namespace));
  expect([answer.status, answer.message]).toEqual([201, ""]);
});

const container = ({ spec }: Job) => spec.template.spec.containers[0];

test.concurrent.each<[string, (job: Job) => void]>([
  ["another image", (job) => (container(job).image = "example.org/evil:1")],
  ["another command", (job) => (container(job).command = ["sh", "-c", "evil"])],
  ["arguments", (job) => (container(job).args = ["evil"])],
  ["another environment", (job) => container(job).env.push({ name: "NODE_OPTIONS", value: "--require=/tmp/x" })],
  ["another account", (job) => (job.spec.template.spec.serviceAccountName = "default")],
  ["another user", (job) => (job.spec.template.spec.securityContext.runAsUser = 0)],
  ["more rights", (job) => (container(job).securityContext.allowPrivilegeEscalation = true)],
  ["another claim", (job) => (job.spec.template.spec.volumes[0].persistentVolumeClaim.claimName = "other")],
  ["a path of the node", (job) => job.spec.template.spec.volumes.push({ name: "node", hostPath: { path: "/" } })],
  ["another export", (job) => (job.spec.template.spec.volumes[1].nfs.path = "/volume")],
  ["the node's network", (job) => (job.spec.template.spec.hostNetwork = true)],
  ["a node of its choice", (job) => (job.spec.template.spec.nodeName = "node-1")],
  ["a second container", (job) => job.spec.template.spec.containers.push({ name: "two", image: "evil" })],
  ["a container before it", (job) => (job.spec.template.spec.initContainers = [{ name: "two", image: "evil" }])],
  ["no deadline", (job) => delete job.spec.activeDeadlineSeconds],
  ["many pods", (job) => Object.assign(job.spec, { parallelism: 9, completions: 9 })],
  ["tries without end", (job) => (job.spec.backoffLimit = 1000)],
  ["a Job that stays for ever", (job) => delete job.spec.ttlSecondsAfterFinished],
  ["a controller of its own", (job) => (job.spec.managedBy = "example.org/evil")],
  ["a label of the app's service", (job) => (job.spec.template.metadata.labels.app = "sdtd-7dtd")],
  ["the label of another app", (job) => (job.spec.template.metadata.labels[labels.app] = "open-webui")],
  ["a label too few", (job) => delete job.spec.template.metadata.labels["app.kubernetes.io/name"]],
  ["an annotation of the pod", (job) => (job.spec.template.metadata.annotations["example.org/x"] = "y")],
  ["no label of its app", (job) => delete job.metadata.labels[labels.app]],
  ["the Job's label of another app", (job) => (job.metadata.labels[labels.app] = "open-webui")],
  ["a label of the Job", (job) => Object.assign(job.metadata.labels, { app: "sdtd-7dtd" })],
  ["an annotation of the Job", (job) => (job.metadata.annotations["example.org/x"] = "y")],
  ["a finalizer", (job) => (job.metadata.finalizers = ["example.org/never"])],
  ["no owner", (job) => (job.metadata.ownerReferences = [])],
  ["a forged owner", (job) => (job.metadata.ownerReferences[0].uid = "00000000-0000-0000-0000-000000000000")],
  ["an owner that nobody knows", (job) => (job.metadata.ownerReferences[0].name = "keepsake-other")],
  ["the owner of another app", (job) => (job.metadata.ownerReferences[0].name = "keepsake-open-webui")],
  ["an owner of another kind", (job) => (job.metadata.ownerReferences[0].kind = "Deployment")],
  ["two owners", (job) => job.metadata.ownerReferences.push({ ...job.metadata.ownerReferences[0], uid: "x" })],
])("the functions cannot start a run with %s", async (_, change) => {
  const job = await honest();
  change(job);
  const answer = await asFunctions("POST", jobsOf(games.name) + dryRun, job);
  expect([answer.status, answer.message]).toEqual([
    403,
    expect.stringMatching(/ValidatingAdmissionPolicy 'keepsake-jobs-/),
  ]);
});

test("the functions end a run early and note how it ended, and change nothing else of it", async () => {
  const job = await honest();
  const made = await asFunctions("POST", jobsOf(games.name), job);
  expect(made.message).toBe("");
  const path = `${jobsOf(games.name)}/${job.metadata.name}`;
  const change = async (body: object) => (await asFunctions("PATCH", path + dryRun, body)).status;
  const note = {
    [annotations.cancelled]: "2026-01-01T00:00:00Z",
    [annotations.outcome]: "{}",
    [annotations.told]: "x",
  };
  expect(await change({ metadata: { annotations: note }, spec: { activeDeadlineSeconds: 1 } })).toBe(200);
  for (const body of [
    { spec: { activeDeadlineSeconds: 9_999_999 } },
    { spec: { activeDeadlineSeconds: null } },
    { spec: { suspend: true } },
    { spec: { parallelism: 0 } },
    { spec: { ttlSecondsAfterFinished: 1 } },
    { metadata: { annotations: { [annotations.run]: "{}" } } },
    { metadata: { annotations: { [annotations.run]: null } } },
    { metadata: { annotations: { "example.org/x": "y" } } },
    { metadata: { labels: { app: "sdtd-7dtd" } } },
    { metadata: { ownerReferences: [] } },
    { metadata: { finalizers: ["example.org/never"] } },
  ]) {
    expect([body, await change(body)]).toEqual([body, 403]);
  }
});

test.concurrent("a Job of the app's own is not for the functions to end", async () => {
  const pod = { restartPolicy: "Never", containers: [{ name: "main", image: "example.org/own:1" }] };
  const own = { metadata: { name: "own" }, spec: { suspend: true, template: { spec: pod } } };
  expect((await admin("POST", jobsOf(games.name), own)).status).toBe(201);
  const path = `${jobsOf(games.name)}/own${dryRun}`;
  const { status, message } = await asFunctions("PATCH", path, { spec: { activeDeadlineSeconds: 1 } });
  expect([status, message]).toEqual([403, expect.stringContaining("none of Keepsake's")]);
});

test("nothing can be made of a CronJob that is not there any more, in whatever name", async () => {
  const job = await honest("postgresql", "drill", databases.name);
  await databases.delete("CronJob", "keepsake-postgresql-drill");
  await expect
    .poll(async () => (await asFunctions("POST", jobsOf(databases.name) + dryRun, job)).message)
    .toMatch(/'keepsake-jobs-alike-.*no params found/);
  // Nobody else is in the way of that.
  const pod = { restartPolicy: "Never", containers: [{ name: "main", image: "example.org/own:1" }] };
  const own = { metadata: { name: "own" }, spec: { template: { spec: pod } } };
  expect((await admin("POST", jobsOf(databases.name) + dryRun, own)).message).toBe("");
  expect((await asFunctions("POST", jobsOf(databases.name) + dryRun, own)).status).toBe(403);
});
