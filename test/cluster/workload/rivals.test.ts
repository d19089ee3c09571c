import { setTimeout as delay } from "node:timers/promises";
import type { V2HorizontalPodAutoscaler } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { joinCluster } from "../join.ts";
import { has } from "../objects.ts";
import { type Game, gameOf, installGame, workloadOf } from "./testing.ts";

const cluster = await joinCluster();
const home = await cluster.namespace("rivals");

/** As a GitOps controller applies what stands in its repository: with one replica. */
const applyAs = (manager: string, name: string) => home.apply(gameOf(name, `${name}-data`), manager);

/** One that heals at once whatever it finds changed. */
function selfHeal(manager: string, game: Game): { end(): Promise<void> } {
  let on = true;
  const healing = (async () => {
    for (; on; await delay(20)) if ((await game.replicas())[0] === 0) await applyAs(manager, game.name);
  })();
  return {
    async end() {
      on = false;
      await healing;
    },
  };
}

test.concurrent("stop() gives up when a GitOps controller starts the app again, and names it with what to do", async () => {
  const game = await installGame(home, "healed", {
    // Long enough for the controller to notice.
    container: { command: ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"] },
    pod: { terminationGracePeriodSeconds: 3 },
  });
  const argo = selfHeal("argocd-controller", game);
  const workload = workloadOf(cluster, game.options());
  await expect(workload.stop("run-1")).rejects.toMatchObject({
    code: "workload_failed",
    message: 'Cannot keep "healed" stopped: "argocd-controller" has set Deployment "healed" to 1 meanwhile',
    hint: expect.stringMatching(/ignoreDifferences for \/spec\/replicas/),
  });
  await argo.end();
  await workload.start();
  await workload.release();
  expect(await game.replicas()).toEqual([1, 1]);
});

test.concurrent("fence() fails once somebody has started the app while a run has it stopped, until the run stops it again", async ({
  expect,
}) => {
  const game = await installGame(home, "started");
  const workload = workloadOf(cluster, game.options());
  await workload.stop("run-1");
  workload.fence?.();
  await applyAs("helm-controller", "started");
  const fence = () => {
    try {
      workload.fence?.();
    } catch (error) {
      return error;
    }
    return undefined;
  };
  await expect.poll(fence).toMatchObject({
    code: "workload_failed",
    message: expect.stringContaining('"helm-controller" has set Deployment "started" to 1 meanwhile'),
    hint: expect.stringContaining("flux suspend"),
  });
  await workload.stop("run-1");
  expect(fence()).toBeUndefined();
  await home.kubectl("scale", "deployment/started", "--replicas=1");
  await expect.poll(fence).toMatchObject({ message: expect.stringContaining("somebody, as by kubectl scale") });
});

test.concurrent("start() fails when somebody has started the app meanwhile, even a moment ago; asked again it brings it back", async ({
  expect,
}) => {
  const game = await installGame(home, "overtaken");
  const workload = workloadOf(cluster, game.options());
  await workload.stop("run-1");
  await applyAs("argocd-controller", "overtaken");
  await expect(workload.start()).rejects.toMatchObject({
    code: "workload_failed",
    message: 'Cannot keep "overtaken" stopped: "argocd-controller" has set Deployment "overtaken" to 1 meanwhile',
  });
  expect(await workload.stoppedBy()).toBe("run-1");
  await workload.start();
  expect(() => workload.fence?.()).not.toThrow();
  await workload.release();
  expect([await game.replicas(), await workload.stoppedBy()]).toEqual([[1, 1], undefined]);
});

test.concurrent("a Deployment that is deleted while it is stopped is told of, and one of the same name is not taken for it", async ({
  expect,
}) => {
  const game = await installGame(home, "deleted");
  const workload = workloadOf(cluster, game.options());
  await workload.stop("run-1");
  await home.delete("Deployment", "deleted");
  const gone = { code: "workload_failed", message: expect.stringMatching(/deleted meanwhile/), hint: /helm upgrade/ };
  await expect
    .poll(() =>
      Promise.resolve()
        .then(() => workload.fence?.())
        .catch((error) => error),
    )
    .toMatchObject(gone);
  await expect(workload.start()).rejects.toMatchObject(gone);
  await home.apply(gameOf("deleted", "deleted-data"));
  await home.until("Deployment", "deleted", has("Available"));
  await expect(workload.start()).rejects.toMatchObject(gone);
  // Nothing of it is left that a later run would have to put right.
  expect(await workloadOf(cluster, game.options()).stoppedBy()).toBeUndefined();
});

test.concurrent("an autoscaler of which the minimum is not zero leaves a stopped app alone, so nobody has to stop it", async () => {
  const game = await installGame(home, "scaled", { replicas: 2 });
  const target = { apiVersion: "apps/v1", kind: "Deployment", name: "scaled" };
  const metrics = [
    { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } } },
  ];
  await home.apply({
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name: "scaled" },
    spec: { scaleTargetRef: target, minReplicas: 2, maxReplicas: 3, metrics },
  });
  const workload = workloadOf(cluster, game.options());
  await workload.stop("run-1");
  await home.until<V2HorizontalPodAutoscaler>("HorizontalPodAutoscaler", "scaled", (live) =>
    (live?.status?.conditions ?? []).some(({ reason }) => reason === "ScalingDisabled"),
  );
  workload.fence?.();
  expect(await game.replicas()).toEqual([0, 0]);
  await workload.start();
  await workload.release();
  expect(await game.replicas()).toEqual([2, 2]);
});

test.concurrent("an autoscaler of KEDA, which starts what is at zero, is named before anything is touched", async () => {
  const game = await installGame(home, "keda");
  const owner = {
    apiVersion: "keda.sh/v1alpha1",
    kind: "ScaledObject",
    name: "keda-game",
    uid: "0a0a0a0a-0000-4000-8000-000000000000",
    controller: true,
  };
  await home.apply({
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name: "keda-hpa", ownerReferences: [owner] },
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "keda" },
      ...{ minReplicas: 1, maxReplicas: 3 },
      metrics: [
        { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } } },
      ],
    },
  });
  const options = game.options();
  await expect(workloadOf(cluster, options).stop("run-1")).rejects.toMatchObject({
    code: "workload_failed",
    message: `Cannot stop "keda": KEDA's ScaledObject "keda-game" would start it again at any time`,
    hint: expect.stringContaining(`kubectl annotate scaledobject keda-game -n ${home.name}`),
  });
  expect(options.steps).toEqual([]);
});

test.concurrent("stop() and release() get their turn on a workload that others change all the time", async () => {
  const game = await installGame(home, "busy");
  let on = true;
  const others = Array.from({ length: 2 }, async (_, index) => {
    for (let n = 0; on; n += 1, await delay(200))
      await home.patch("Deployment", "busy", { metadata: { annotations: { [`example.org/${index}`]: `${n}` } } });
  });
  const workload = workloadOf(cluster, game.options());
  try {
    await workload.stop("run-1");
    await workload.start();
    await workload.release();
  } finally {
    on = false;
    await Promise.all(others);
  }
  expect(await game.replicas()).toEqual([1, 1]);
  expect(await workload.stoppedBy()).toBeUndefined();
});

test.concurrent("an annotation that nobody can read is told of, and the app left as it is", async () => {
  const game = await installGame(home, "scribbled", { replicas: 0 });
  await home.patch("Deployment", "scribbled", { metadata: { annotations: { "keepsake.dev/stopped": "yes" } } });
  const options = game.options();
  const workload = workloadOf(cluster, options);
  expect(await workload.stoppedBy()).toBeUndefined();
  await workload.release();
  expect(options.warnings).toEqual([
    expect.stringMatching(
      /keepsake.dev\/stopped of Deployment "scribbled" cannot be read.*kubectl annotate deployment scribbled/,
    ),
  ]);
  expect((await game.live()).metadata?.annotations).toHaveProperty(["keepsake.dev/stopped"]);
  await home.scale("Deployment", "scribbled", 1);
  await workload.release();
  expect((await game.live()).metadata?.annotations).not.toHaveProperty(["keepsake.dev/stopped"]);
});
