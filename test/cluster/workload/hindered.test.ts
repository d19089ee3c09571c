import type { V1Pod, V1ResourceQuota } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { joinCluster } from "../join.ts";
import { type GameOptions, gameOf, installGame, workloadOf } from "./testing.ts";

const cluster = await joinCluster();
const home = await cluster.namespace("hindered");

test.concurrent("stop() names the finalizer that holds a pod, and start() brings the app back nevertheless", async () => {
  const game = await installGame(home, "held", { podMetadata: { finalizers: ["example.org/wait"] } });
  const options = game.options({ limits: { goneBeyondGrace: 1500 } });
  const [pod = ""] = await game.pods();
  const held = async () => (await home.get<V1Pod>("Pod", pod))?.status?.phase;
  const workload = workloadOf(cluster, options);
  // A pod whose containers have ended holds nothing open, whatever keeps its object.
  await workload.stop("run-1");
  expect(await held()).toBe("Succeeded");
  await workload.start();
  await workload.release();
  for (const { metadata } of await home.list("Pod", "game=held"))
    await home.patch("Pod", metadata.name, { metadata: { finalizers: null } });
  expect(await game.replicas()).toEqual([1, 1]);
});

test.concurrent("stop() says of a pod that does not end how long it should have taken", async () => {
  const stubborn = { command: ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"] };
  const game = await installGame(home, "stubborn", {
    container: stubborn,
    pod: { terminationGracePeriodSeconds: 1 },
  });
  // The pod has more time than its workload says now.
  await home.apply(
    gameOf("stubborn", "stubborn-data", {
      container: stubborn,
      spec: { paused: true },
      pod: { terminationGracePeriodSeconds: 0 },
    }),
  );
  const workload = workloadOf(cluster, game.options({ limits: { goneBeyondGrace: 300 } }));
  await expect(workload.stop("run-1")).rejects.toMatchObject({
    code: "workload_failed",
    message: expect.stringMatching(
      /^Cannot stop "stubborn": pod "stubborn-.*" on node "node-1" is ending, and (has|should)/,
    ),
    hint: expect.stringMatching(/^kubectl describe pod stubborn-/),
  });
  await workload.start();
  await workload.release();
  expect(await game.replicas()).toEqual([1, 1]);
});

test.concurrent("stop() ends its wait when the run is cancelled", async ({ expect }) => {
  const game = await installGame(home, "slow", {
    container: { command: ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"] },
    pod: { terminationGracePeriodSeconds: 5 },
  });
  const cancel = new AbortController();
  const workload = workloadOf(cluster, game.options());
  const stopped = workload.stop("run-1", cancel.signal);
  await expect.poll(() => workload.stoppedBy()).toBe("run-1");
  await expect.poll(async () => (await game.replicas())[0]).toBe(0);
  cancel.abort(new Error("cancelled"));
  await expect(stopped).rejects.toThrow("cancelled");
  await workload.start();
  await workload.release();
  expect(await game.replicas()).toEqual([1, 1]);
});

/** What is wrong with a workload, how long is waited for it (`readyMs`), and how that is said. */
const broken: [what: string, with_: GameOptions & { claim?: string; readyMs?: number }, why: RegExp][] = [
  [
    "an image that is not there",
    { container: { image: "keepsake.test/nothing:1", imagePullPolicy: "Never" } },
    /container "game" waits: ErrImageNeverPull .*keepsake.test\/nothing:1/,
  ],
  [
    "a readiness probe that fails",
    { container: { readinessProbe: { exec: { command: ["false"] }, periodSeconds: 1 } } },
    /runs, and its readiness probe does not say that it is ready/,
  ],
  ["no node that fits", { pod: { nodeSelector: { disk: "none" } } }, /finds no node: 0\/\d nodes are available/],
  [
    "a server that crashes",
    // It is given up as soon as it has crashed often enough.
    { container: { command: ["sh", "-c", "exit 7"] }, readyMs: 60_000 },
    /ends again and again, last with exit status 7/,
  ],
  ["a claim that is missing", { claim: "nowhere" }, /persistentvolumeclaim "nowhere" not found/],
];

test.concurrent.each(broken)(
  "start() says of %s why the app is not ready",
  async (what, { claim, readyMs = 10_000, ...with_ }, why) => {
    const name = `broken-${what.length}`;
    const game = await installGame(home, name);
    const limits = { ready: readyMs, steady: 2000 };
    const workload = workloadOf(cluster, game.options({ limits }));
    await workload.stop("run-1");
    await home.apply(gameOf(name, claim ?? `${name}-data`, { replicas: 0, ...with_ }));
    await expect(workload.start()).rejects.toMatchObject({
      code: "workload_failed",
      message: expect.stringMatching(why),
      hint: expect.stringContaining(`kubectl describe deployment ${name} -n ${home.name}`),
    });
    expect(await workload.stoppedBy(), "it is still known that it has to be brought back").toBe("run-1");
    await home.apply(gameOf(name, `${name}-data`, { replicas: 1 }));
    const next = workloadOf(cluster, game.options());
    await next.start();
    await next.release();
    expect(await game.replicas()).toEqual([1, 1]);
  },
);

test("start() says of a quota that it keeps pods from being made", async () => {
  const home = await cluster.namespace("quota");
  const game = await installGame(home, "poor");
  const workload = workloadOf(cluster, game.options({ limits: { ready: 10_000, steady: 2000 } }));
  await workload.stop("run-1");
  await home.apply({
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name: "none" },
    spec: { hard: { pods: "0" } },
  });
  await home.until<V1ResourceQuota>("ResourceQuota", "none", (quota) => quota?.status?.hard?.pods === "0");
  await expect(workload.start()).rejects.toMatchObject({ message: expect.stringMatching(/exceeded quota: none/) });
  await home.delete("ResourceQuota", "none");
  const next = workloadOf(cluster, game.options());
  await next.start();
  await next.release();
  expect(await game.replicas()).toEqual([1, 1]);
});
