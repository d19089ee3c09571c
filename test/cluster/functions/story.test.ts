import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Content } from "../../../deploy/local/demo/lab.ts";
import { startCron } from "../../../deploy/local/gateway/cron.ts";
import { startNatsConnector } from "../../../deploy/local/gateway/nats-connector.ts";
import type { StatusView } from "../../../functions/status/view.ts";
import { silentLog } from "../../../shared/testing.ts";
import { joinCluster } from "../join.ts";
import type { ClusterApp } from "./apps/app.ts";
import { layFactorio } from "./apps/factorio.ts";
import { layMapshot, leftRender } from "./apps/mapshot.ts";
import { layOllama } from "./apps/ollama.ts";
import { layOpenWebui } from "./apps/open-webui.ts";
import { layPostgresql } from "./apps/postgresql.ts";
import { laySdtd } from "./apps/sdtd.ts";
import { make, run, stateOf } from "./call.ts";
import { deploy } from "./faas-netes.ts";
import { openLab } from "./lab.ts";

/*
 * The story of `make demo` on the cluster: its functions are pods, their runs are Jobs, and nothing of Keepsake runs elsewhere. Its
 * tests go on from each other.
 */

const cluster = await joinCluster();
const passage = await cluster.passage();
const factorio = await layFactorio(cluster);
const apps = await Promise.all([
  factorio,
  laySdtd(cluster),
  layMapshot(cluster),
  layPostgresql(cluster, passage),
  layOpenWebui(cluster),
  layOllama(cluster),
]);
const lab = await openLab(cluster, passage, apps);
const { url: gatewayUrl, deployments } = lab.gateway;
const functionOf = (app: string) => `${app === "mapshot" ? "render" : "backup"}-${app}`;
const outcomeOf = async (app: string) => (await stateOf(lab, functionOf(app))).lastOutcome?.outcome;

/** The cron-connector at that time of the day, until what it starts has ended like this. */
async function atTime(time: string, ends: Record<string, string>): Promise<void> {
  const beganMs = Date.now();
  const now = () => Date.parse(`2026-03-01T${time}Z`) - 300 + Date.now() - beganMs;
  const cron = startCron({ gatewayUrl, functions: deployments.list, log: silentLog, now });
  for (const [app, end] of Object.entries(ends)) await expect.poll(() => outcomeOf(app), { message: app }).toBe(end);
  cron.stop();
}

test("all fifteen functions of stack.yml answer as OpenFaaS deploys them", async () => {
  const names = deployments.list().map(({ name }) => name);
  expect(names.toSorted()).toEqual(lab.stack.map(({ service }) => service).toSorted());
  expect(names).toHaveLength(15);
  const answers = (name: string) => async () => {
    const asked = ["/_/ready", "/"].map((path) => fetch(`${gatewayUrl}/function/${name}${path}`));
    return (await Promise.all(asked)).map(({ status }) => status);
  };
  for (const name of names) await expect.poll(answers(name), { message: name }).toEqual([200, 200]);
});

test("backups are made by HTTP and by schedule, and the event of a new map calls the cleanup", async () => {
  const connector = startNatsConnector({
    ...{ natsUrl: lab.nats.nearUrl, gatewayUrl, functions: deployments.list, log: silentLog },
  });
  await expect.poll(() => connector.topics().toSorted()).toEqual(["backups.completed", "mapshot.rendered"]);
  const called = ["sdtd", "factorio"].map((app) => run(lab, functionOf(app)));
  expect(await Promise.all(called)).toMatchObject([{ outcome: "created" }, { outcome: "created" }]);
  await Promise.all([
    atTime("03:00", { postgresql: "created" }),
    atTime("04:00", { "open-webui": "created", mapshot: "cleaned" }),
  ]);
  expect((await stateOf(lab, "render-mapshot")).lastOutcome).toMatchObject({
    startedBy: "event mapshot.rendered",
    removed: expect.arrayContaining([expect.stringContaining(leftRender)]),
  });
  await connector.stop();
  await atTime("08:00", { ollama: "created", mapshot: "unchanged" });
});

test("make backup-all finds that nothing has changed", async () => {
  await make(lab, "backup", "--all");
  for (const { name } of apps) expect(await outcomeOf(name), name).toBe("unchanged");
});

test("the data of all six is destroyed, and make restore-all brings back every byte, row and model", async () => {
  const before = new Map<string, Content>();
  for (const app of apps) before.set(app.name, await app.content());
  await Promise.all(apps.map((app) => app.destroy()));
  await make(lab, "restore-all", "--yes");
  for (const app of apps) {
    expect(await app.content(), app.name).toEqual(before.get(app.name));
    await app.expectBack();
  }
});

test("a dump is restored into a server of production's image beside the drill, and is proven", async () => {
  expect(await run(lab, "restore-postgresql", { operation: "drill" })).toMatchObject({
    outcome: "proven",
    drill: { compared: expect.arrayContaining([expect.stringMatching(/tables with \d+ rows/)]) },
  });
});

/** With -9, as when its node is short of memory: nobody is told. */
const killPods = (fn: string) =>
  lab.functions.kubectl("delete", "pods", `--selector=faas_function=${fn}`, "--grace-period=0", "--force");
const podsOf = async (fn: string) =>
  (await lab.functions.list("Pod", `faas_function=${fn}`)).map(({ metadata }) => metadata.name);
/** What `faas-cli deploy` does. */
const update = async (fn: string) => {
  const wanted = lab.stack.find(({ service }) => service === fn);
  if (wanted) await deploy(lab.admin, lab.functions.name, wanted);
};

test("a function is killed, and deployed anew, in mid-run: its run goes on and is seen to its end, the app is back", async () => {
  const fn = "restore-factorio";
  const before = await factorio.content();
  const server = await factorio.witness.stay();
  const made = make(lab, "restore", "factorio", "--yes");
  await expect.poll(async () => (await factorio.witness.replicas())[0]).toBe(0);
  for (const end of [killPods, update]) {
    const pods = await podsOf(fn);
    await end(fn);
    await lab.functions.kubectl("rollout", "status", `deployment/${fn}`, "--timeout=60s");
    expect(await podsOf(fn)).not.toEqual(pods);
    await expect.poll(async () => (await stateOf(lab, fn)).running?.operation).toBe("restore");
  }
  await server.letGo();
  expect(await made).toMatch(/^Factorio {2}restored/);
  expect(await factorio.content()).toEqual(before);
  await factorio.expectBack();
});

test("the page knows of all six by the gateway of the cluster, and that all is well", async () => {
  const page = async () => {
    const answer = await fetch(`${gatewayUrl}/function/status`, { headers: { accept: "application/json" } });
    return (await answer.json()) as StatusView;
  };
  await expect.poll(page).toMatchObject({
    overall: { level: "safe" },
    nas: { reachable: true },
    events: { connected: true, undelivered: {} },
    apps: apps.map(({ name }) => ({ app: name, state: "ok", nextRunAt: expect.any(String) })),
  });
});

test("Telegram was told how every run has ended, once", async () => {
  const runsOf = ({ name }: ClusterApp) => readdir(join(lab.nas.folder, ".keepsake", name, "runs"));
  const records = (await Promise.all(apps.map(runsOf))).flat();
  const ids = records.flatMap((file) => /^(.+)\.outcome\.json$/.exec(file)?.[1] ?? []);
  expect(ids).toHaveLength(6 + 2 + 6 + 6 + 1 + 1);
  await expect.poll(() => lab.telegram.told().toSorted(), { timeout: 60_000 }).toEqual(ids.toSorted());
});
