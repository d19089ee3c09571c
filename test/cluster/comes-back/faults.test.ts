import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, expect, onTestFinished, test } from "vitest";
import type { RunDescription } from "../../../shared/run/description.ts";
import { describeRun, type Killed, killsAtAll, type Running, runKilled, startRunner } from "../../crash/kill.ts";
import { expectTidyNas } from "../../crash/nas-checks.ts";
import { type ComesBackRow, rememberComesBack } from "../../crash/reliability.ts";
import { places } from "../../worlds/factorio.ts";
import { startCluster } from "../start.ts";
import { after, before, lay, open, stateOf, type World } from "./factorio-world.ts";
import { watchAnHourLater } from "./watch-later.ts";

/*
 * What can happen to a cluster, and to a run, while the run has its app stopped. The run is held up right before one of
 * its steps, the fault is done, and the run goes on.
 */

const own = await startCluster();
const home = await own.namespace("faults");
const folder = await mkdtemp(join(tmpdir(), "keepsake-faults-"));
await lay(join(folder, "laid"));
afterAll(async () => {
  await own.stop();
  await rm(folder, { recursive: true });
});

const rows: ComesBackRow[] = [];
afterAll(async () => {
  if (killsAtAll) await rememberComesBack("faults", rows);
});

const program = join(import.meta.dirname, "outside-runner.ts");
const restore = () => describeRun("factorio", { operation: "restore", at: "latest", allow: [] });

/** The steps of a restore at which it matters most, in their order. */
const moments = {
  "before it is remembered how many pods there were": "^write down on Deployment",
  "before the app is stopped": "^scale Deployment .* to 0$",
  "while the app is stopped, before its data is moved": "^rename .*/_autosave1.zip to",
  "while the app is stopped, its old data away and no new there": "^rename .* to .*/homelab.zip$",
  "before the app is started": "^scale Deployment .* to 1$",
  "when the app is up, before that is written down": "^forget on Deployment",
};
type Moment = keyof typeof moments;
const all = Object.keys(moments) as Moment[];
/** All of them with KILL_POINTS=all. */
const some = killsAtAll ? all : all.slice(3, 4);

interface Held extends World, Running {
  goOn(): Promise<Killed>;
}

let worlds = 0;
/** A world of its own, with the server running. */
async function openWorld(options: Parameters<typeof open>[3] = {}): Promise<World> {
  worlds += 1;
  const copy = join(folder, `world-${worlds}`);
  await cp(join(folder, "laid"), copy, { recursive: true, preserveTimestamps: true });
  return open(copy, own, home, options);
}

/** The same, with a restore that is about to do what it does at that moment. */
async function restoreUpTo(when: Moment, options: Parameters<typeof open>[3] = {}): Promise<Held> {
  const world = await openWorld(options);
  const { state, config } = places(world.folder);
  const running = await startRunner(state, config, restore(), { program, env: { HOLD_AT: moments[when] } });
  // One that is still held up when its test has failed would wait for ever; of one that has ended nothing is killed.
  onTestFinished(() => void running.process.kill("SIGKILL"));
  const isThere = async () => new RegExp(moments[when]).test((await running.steps()).at(-1) ?? "");
  await expect.poll(isThere, { interval: 50 }).toBe(true);
  const goOn = async () => {
    await writeFile(join(world.folder, "go"), "");
    return running.ended;
  };
  return { ...world, ...running, goOn };
}

/** The app is as it was, over data that is all old or all new, and nobody remembers a stop. */
async function expectBack(fault: string, when: string, { witness, folder }: World, ended: Killed, by = "") {
  await witness.expectBack();
  const state = await stateOf(folder);
  expect([before, after]).toContain(state);
  const outcome = ended.outcome?.outcome ?? "killed";
  if (outcome === "restored") expect(state, ended.log).toBe(after);
  rows.push({ fault, when, outcome, app: `back${by}, over ${state === after ? "the restored data" : "its own data"}` });
  await witness.remove();
}

test.each(some)("API server and etcd killed %s: the run waits for them and goes on", async (when) => {
  const held = await restoreUpTo(when);
  await own.kill("kube-apiserver");
  await own.kill("etcd");
  const going = held.goOn();
  await own.start("etcd");
  await own.start("kube-apiserver");
  const ended = await going;
  expect(ended.outcome?.outcome, ended.log).toBe("restored");
  await expectBack("API server and etcd killed, and started again", when, held, ended);
});

test.each(some)("the connection to the API reset %s: the run goes on once it is whole", async (when) => {
  const line = await own.connection();
  const held = await restoreUpTo(when, { kubeconfig: line.kubeconfig() });
  await line.cut("reset");
  const going = held.goOn();
  // Longer than the first tries, so that it has to try again.
  await delay(1000);
  await line.mend();
  const ended = await going;
  expect(ended.outcome?.outcome, ended.log).toBe("restored");
  await expectBack("the connection to the API reset, and whole again", when, held, ended);
  await line.close();
});

// A connection that says nothing is found out after 20 seconds, a new token in its file after 60.
test.runIf(killsAtAll).each([all[1], all[3], all[4]] as Moment[])(
  "the connection to the API falls silent %s",
  async (when) => {
    const line = await own.connection();
    const held = await restoreUpTo(when, { kubeconfig: line.kubeconfig() });
    await line.cut("silence");
    const going = held.goOn();
    await delay(25_000);
    await line.mend();
    const ended = await going;
    expect(ended.outcome?.outcome, ended.log).toBe("restored");
    await expectBack("the connection to the API silent for 25 s", when, held, ended);
    await line.close();
  },
);

test.runIf(killsAtAll).each([all[4]] as Moment[])(
  "the token expires %s, and a new one is in its file",
  async (when) => {
    await home.apply(rights);
    const tokenFile = join(folder, `token-${worlds}`);
    // The API server goes on taking a token that it has seen for ten seconds.
    const lifeSeconds = 20;
    const began = performance.now();
    await writeFile(tokenFile, await home.token("runner", lifeSeconds));
    const held = await restoreUpTo(when, { kubeconfig: await withTokenFile(tokenFile) });
    await delay(Math.max(0, began + (lifeSeconds + 11) * 1000 - performance.now()));
    const going = held.goOn();
    await delay(3000);
    await writeFile(tokenFile, await home.token("runner", 600));
    const ended = await going;
    expect(ended.outcome?.outcome, ended.log).toBe("restored");
    await expectBack("the run's token expired, and was renewed", when, held, ended);
  },
);

test.each(some)("the run cancelled (SIGTERM) %s", async (when) => {
  const held = await restoreUpTo(when);
  held.process.kill("SIGTERM");
  const ended = await held.goOn();
  expect(["cancelled", "restored"], ended.log).toContain(ended.outcome?.outcome);
  await expectBack("the run cancelled (SIGTERM)", when, held, ended);
});

test.each(some)("the run killed %s: the watch finds it an hour later, and has the app brought back", async (when) => {
  const held = await restoreUpTo(when);
  held.process.kill("SIGKILL");
  const ended = await held.ended;
  expect(ended.signal).toBe("SIGKILL");
  const [flush, ...others] = await watchAnHourLater(held.folder, own);
  expect([flush?.request.operation, flush?.startedBy, others]).toEqual(["flush", "the watch", []]);
  const { state, config } = places(held.folder);
  const done = await runKilled(state, config, flush as RunDescription, 0, program);
  expect(done.outcome?.outcome, done.log).toBe("flushed");
  await expectBack("the run killed (SIGKILL), found by the watch an hour later", when, held, ended, " by a flush");
});

test("a server that does not come up over the restored data gets back what it had", async () => {
  const world = await openWorld({ refuses: "saves/homelab.zip" });
  const { state, config } = places(world.folder);
  const ended = await runKilled(state, config, restore(), 0, program);
  expect(ended.outcome?.failure, ended.log).toMatchObject({
    code: "workload_failed",
    message: expect.stringMatching(/Cannot start "factorio": it is not ready: .*ends again and again/),
  });
  expect(await stateOf(world.folder)).toBe(before);
  await expectBack("the server crashes over the restored data", "when it is started", world, ended);
});

test("a GitOps controller that starts the app while its data is moved stops the run, and the app keeps its data", async () => {
  const when = "while the app is stopped, its old data away and no new there";
  const held = await restoreUpTo(when);
  await home.patch("Deployment", held.witness.name, { spec: { replicas: 1 } }, "argocd-controller");
  await expect.poll(() => held.witness.isUp()).toBe(true);
  const ended = await held.goOn();
  expect(ended.outcome?.failure, ended.log).toMatchObject({
    code: "workload_failed",
    message: expect.stringContaining('"argocd-controller" has set'),
    hint: expect.stringContaining("ignoreDifferences"),
  });
  expect(await stateOf(held.folder)).toBe(before);
  await expectTidyNas(places(held.folder).nas, "factorio", [ended.outcome?.runId ?? ""]);
  // It was held up between the look and the change that belongs to it, and so has made one too many.
  await rm(join(held.folder, "touched"), { force: true });
  await expectBack("a GitOps controller starts the app", when, held, ended);
});

const rights = [
  { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "runner" } },
  {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata: { name: "runner" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "admin" },
    subjects: [{ kind: "ServiceAccount", name: "runner" }],
  },
];

/** As a pod has its account's token. */
async function withTokenFile(tokenFile: string): Promise<string> {
  const [cluster] = own.config().clusters;
  const auth = { name: "tokenFile", config: { tokenFile } };
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "own", cluster: { server: cluster?.server, "certificate-authority-data": cluster?.caData } }],
    users: [{ name: "runner", user: { "auth-provider": auth } }],
    contexts: [{ name: "own", context: { cluster: "own", user: "runner" } }],
    "current-context": "own",
  });
}
