import type { V1ContainerStatus, V1Node, V1Pod } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { whyItStays, whyNotReady } from "./pod-words.ts";

const now = Date.parse("2026-03-01T12:00:00Z");
const node = (ready: "True" | "Unknown"): V1Node => ({ status: { conditions: [{ type: "Ready", status: ready }] } });
const running: V1ContainerStatus = {
  ...{ name: "game", image: "", imageID: "", ready: true, restartCount: 0 },
  state: { running: {} },
};

/** A pod that was told to end, and has to have ended at that time. */
const ending = (until: string, more: Partial<V1Pod> = {}, metadata: V1Pod["metadata"] = {}): V1Pod => ({
  metadata: {
    ...{ name: "game-1", namespace: "games", deletionGracePeriodSeconds: 30 },
    deletionTimestamp: new Date(until),
    ...metadata,
  },
  spec: { containers: [], nodeName: "shed" },
  status: { phase: "Running", containerStatuses: [running] },
  ...more,
});

test("whyItStays() says of a pod that is ending how long it may, or should have", () => {
  expect(whyItStays(ending("2026-03-01T12:00:20Z"), node("True"), now)).toEqual({
    why: 'pod "game-1" on node "shed" is ending, and has 20 seconds of 30 left',
    hint: "kubectl describe pod game-1 -n games",
  });
  expect(whyItStays(ending("2026-03-01T11:59:00Z"), undefined, now).why).toBe(
    'pod "game-1" on node "shed" is ending, and should have ended 60 s ago',
  );
});

test("whyItStays() names the node that is away: whatever its pods are said to be, they may go on", () => {
  expect(whyItStays(ending("2026-03-01T11:59:00Z"), node("Unknown"), now)).toEqual({
    why: 'pod "game-1" is on node "shed", which is not ready, so nobody knows whether it still runs',
    hint: "Bring the node back. If it is gone for good: kubectl delete node shed",
  });
});

test("whyItStays() names the finalizer of a pod that has ended, and what controls one that was not told to", () => {
  const held = ending("2026-03-01T11:59:00Z", { status: {} }, { finalizers: ["example.org/wait"] });
  expect(whyItStays(held, node("True"), now).why).toBe(
    'pod "game-1" has ended, and is held by the finalizer example.org/wait',
  );
  const ownerReferences = [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "by-hand", uid: "1", controller: true }];
  const kept: V1Pod = { metadata: { name: "game-1", namespace: "games", ownerReferences } };
  expect(whyItStays(kept, undefined, now).why).toBe('pod "game-1" was not told to end: ReplicaSet "by-hand" keeps it');
  expect(whyItStays({ metadata: { name: "game-1" } }, undefined, now).why).toMatch(/nothing controls it/);
});

const pod = (status: V1Pod["status"]): V1Pod => ({ metadata: { name: "game-1" }, status });

test("whyNotReady() calls a server hopeless that has crashed often enough, and not one that runs again", () => {
  const crashed = (restartCount: number, state: V1ContainerStatus["state"], before = 0) =>
    whyNotReady(
      [
        pod({
          phase: "Running",
          containerStatuses: [
            {
              ...running,
              ready: false,
              restartCount,
              state: state ?? {},
              lastState: { terminated: { exitCode: 137, reason: "OOMKilled" } },
            },
          ],
        }),
      ],
      new Map([["", before]]),
    );
  const waiting = { waiting: { reason: "CrashLoopBackOff" } };
  expect(crashed(1, waiting)).toEqual({
    why: 'pod "game-1": container "game" ends again and again, last with out of memory (1 restarts)',
    isHopeless: false,
  });
  expect(crashed(3, waiting)?.isHopeless).toBe(true);
  expect(crashed(5, waiting, 3)?.isHopeless, "most of it is of an earlier time").toBe(false);
  expect(crashed(6, waiting, 3)?.isHopeless).toBe(true);
  expect(crashed(3, { running: {} }), "up for a moment").toEqual({
    why: 'pod "game-1": container "game" ends again and again, last with out of memory (3 restarts)',
    isHopeless: false,
  });
});

test("whyNotReady() tells of an init container, of a node that is not found, and nothing of a pod that is going", () => {
  const init = { ...running, name: "unpack", state: { waiting: { reason: "ErrImagePull", message: "not found" } } };
  expect(whyNotReady([pod({ phase: "Pending", initContainerStatuses: [init] })])?.why).toBe(
    'pod "game-1": container "unpack" waits: ErrImagePull not found',
  );
  const conditions = [{ type: "PodScheduled", status: "False", message: "0/1 nodes are available" }];
  expect(whyNotReady([pod({ phase: "Pending", conditions })])?.why).toBe(
    'pod "game-1" finds no node: 0/1 nodes are available',
  );
  expect(whyNotReady([ending("2026-03-01T12:00:20Z")])).toBeUndefined();
  expect(whyNotReady([])).toBeUndefined();
});
