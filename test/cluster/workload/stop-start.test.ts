import { expect, test } from "vitest";
import { connect } from "../../../shared/cluster/client.ts";
import { isStoppedOnCluster } from "../../../shared/cluster/workload.ts";
import { joinCluster } from "../join.ts";
import { has } from "../objects.ts";
import { gameOf, installGame, workloadOf } from "./testing.ts";

const cluster = await joinCluster();
const home = await cluster.namespace("scale");
const api = connect(cluster.config());

const markOf = (of: { metadata?: { annotations?: Record<string, string> } }) =>
  JSON.parse(of.metadata?.annotations?.["keepsake.dev/stopped"] ?? "null");

test.concurrent("stop() writes down what was there, scales to zero, and returns when nothing writes any more; start() brings it back", async () => {
  const game = await installGame(home, "two", { replicas: 2 });
  const options = game.options();
  const workload = workloadOf(cluster, options);
  expect([await workload.stoppedBy(), await isStoppedOnCluster(api, options.at)]).toEqual([undefined, false]);
  await workload.stop("run-1");
  expect(await game.pods()).toEqual([]);
  expect(await game.writes()).toBe(false);
  expect(options.steps).toEqual([
    'write down on Deployment "two" that it has 2 replicas',
    'scale Deployment "two" to 0',
  ]);
  expect(markOf(await game.live())).toEqual({ runId: "run-1", replicas: 2, at: expect.stringMatching(/^20.*Z$/) });
  expect([await workload.stoppedBy(), await isStoppedOnCluster(api, options.at)]).toEqual(["run-1", true]);

  // Another process, as after a crash: it knows what stands on the workload, and nothing else.
  const next = workloadOf(cluster, game.options());
  await next.stop("run-2");
  expect(markOf(await game.live())).toMatchObject({ runId: "run-2", replicas: 2 });
  await next.start();
  expect(await game.replicas()).toEqual([2, 2]);
  expect(await next.stoppedBy(), "it is known until it is released").toBe("run-2");
  await next.release();
  await next.release();
  expect(markOf(await game.live())).toBeNull();
  expect(await next.stoppedBy()).toBeUndefined();
});

test.concurrent("stop() and start() take a StatefulSet by its labels", async () => {
  const game = await installGame(home, "set", { kind: "StatefulSet", labels: { is: "the-set" } });
  const { claim } = game.options().at;
  const at = { namespace: home.name, workload: { kind: "StatefulSet" as const, selector: "is=the-set" }, claim };
  const workload = workloadOf(cluster, game.options({ at }));
  await workload.stop("run-1");
  expect(await game.pods()).toEqual([]);
  await workload.start();
  await workload.release();
  expect(await game.replicas()).toEqual([1, 1]);
});

test.concurrent("stop() of what is not there, or there twice, says what is wanted and where to set it", async () => {
  const game = await installGame(home, "twin-a", { replicas: 0, labels: { twin: "yes" } });
  await home.apply(gameOf("twin-b", "twin-a-data", { replicas: 0, labels: { twin: "yes" } }));
  const stop = (workload: object) =>
    workloadOf(cluster, game.options({ at: { namespace: home.name, workload: workload as never } })).stop("run-1");
  await expect(stop({ kind: "Deployment", selector: "twin=yes" })).rejects.toMatchObject({
    code: "workload_failed",
    message: `Cannot find what "twin-a" runs in: one Deployment with the labels twin=yes in namespace ${home.name} is wanted, are twin-a, twin-b`,
    hint: "Name the one that is meant: apps.twin-a.kubernetes.workload in keepsake.yaml",
  });
  await expect(stop({ kind: "StatefulSet", name: "twin-a" })).rejects.toMatchObject({
    code: "workload_failed",
    message: expect.stringContaining(`one StatefulSet "twin-a" in namespace ${home.name} is wanted, is none`),
    hint: expect.stringContaining(`kubectl get statefulsets -n ${home.name}`),
  });
  // A backup that stops nothing must not fail for it.
  const at = { namespace: home.name, workload: { kind: "StatefulSet" as const, name: "twin-a" } };
  expect(await workloadOf(cluster, game.options({ at })).stoppedBy()).toBeUndefined();
});

test.concurrent("an app that its owner has at zero stays there, and that is told", async () => {
  const game = await installGame(home, "off", { replicas: 0 });
  const options = game.options();
  const workload = workloadOf(cluster, options);
  await workload.stop("run-1");
  await workload.start();
  await workload.release();
  expect(await game.replicas()).toEqual([0, 0]);
  expect(options.warnings).toEqual([
    "off was at zero replicas before this run, and nothing of Keepsake had stopped it: it stays there",
  ]);
});

test.concurrent("stop() ends both halves of a rolling update, and start() of a paused one brings its pods back", async ({
  expect,
}) => {
  const game = await installGame(home, "rolling", { replicas: 2 });
  const options = game.options();
  // The new half never becomes ready.
  const broken = { image: "keepsake.test/nothing:1", imagePullPolicy: "Never" };
  await home.apply(gameOf("rolling", "rolling-data", { replicas: 2, container: broken }));
  await expect.poll(async () => (await game.pods()).length).toBe(3);
  const workload = workloadOf(cluster, options);
  await workload.stop("run-1");
  expect(await game.pods()).toEqual([]);
  await home.apply(gameOf("rolling", "rolling-data", { replicas: 0, spec: { paused: true } }));
  await workload.start();
  await workload.release();
  expect(await game.replicas()).toEqual([2, 2]);
});

test.concurrent("stop() tells of a pod that has the claim as well and is not the app's", async () => {
  const game = await installGame(home, "shared");
  const { template } = (gameOf("browser", "shared-data") as { spec: { template: { spec: object } } }).spec;
  await home.apply({ apiVersion: "v1", kind: "Pod", metadata: { name: "browser" }, spec: template.spec });
  await home.until("Pod", "browser", has("Ready"));
  const options = game.options();
  const workload = workloadOf(cluster, options);
  await workload.stop("run-1");
  await workload.start();
  await workload.release();
  expect(options.warnings).toEqual(['The claim "shared-data" is also used by "browser", which no run stops']);
});
