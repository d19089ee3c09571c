import type { V1Job, V1Pod } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { reasonToEnd } from "./asked-to-end.ts";
import { howItEnded } from "./how-it-ended.ts";

/** A pod of which a container has ended, and which is otherwise as `status` says. */
const podWith = (name: string, terminated: object, status: object = {}) =>
  ({
    spec: { containers: [{ name: "runner", resources: { limits: { memory: "512Mi" } } }] },
    status: { phase: "Failed", containerStatuses: [{ name, state: { terminated } }], ...status },
  }) as unknown as V1Pod;

const jobWith = (conditions: object[], spec: object = { activeDeadlineSeconds: 600 }) =>
  ({ spec, status: { conditions } }) as V1Job;
const failed = jobWith([{ type: "Failed", status: "True", reason: "BackoffLimitExceeded", message: "it failed" }]);
const late = jobWith([{ type: "Failed", status: "True", reason: "DeadlineExceeded", message: "was active too long" }]);

const wanted = (reason: string, message = "") => ({
  conditions: [{ type: "DisruptionTarget", status: "True", reason, message }],
});
const killed = { exitCode: 137, reason: "Error" };

test.each<[what: string, job: V1Job, pod: V1Pod | undefined, words: string]>([
  ["a deadline", late, undefined, "it took longer than the 600 s that its Job may take"],
  ["memory", failed, podWith("runner", { exitCode: 137, reason: "OOMKilled" }), "the runner needed more memory than its limit of 512Mi"],
  ["another container's memory", failed, podWith("renderer", { exitCode: 137, reason: "OOMKilled" }), 'the container "renderer" needed more memory than there was'],
  ["a program that is not there", failed, podWith("runner", { exitCode: 128, reason: "StartError", message: 'exec: "nod": not\n found' }), 'the runner could not be started: exec: "nod": not found'],
  ["a signal", failed, podWith("runner", killed), "the runner was killed (exit status 137)"],
  ["an exit", failed, podWith("runner", { exitCode: 2 }), "the runner ended with exit status 2"],
  ["a drain", failed, podWith("runner", killed, wanted("EvictionByEvictionAPI")), "its node was drained, or somebody else evicted its pod"],
  ["a node without memory", failed, podWith("runner", killed, { ...wanted("TerminationByKubelet", "the node"), reason: "Evicted", message: "The node was low on resource: memory." }), "its node shut down, or was short of memory or disk (The node was low on resource: memory.)"],
  ["a node that is gone", failed, podWith("runner", killed, wanted("DeletionByPodGC", "node not found")), "its node is gone (node not found)"],
  ["an older server's eviction", failed, podWith("runner", killed, { reason: "Evicted", message: "low on disk" }), "its pod had to go: Evicted (low on disk)"],
  ["a pod that was deleted", failed, undefined, "its pod was deleted"],
  ["nothing that anybody knows", failed, { status: { phase: "Failed" } } as V1Pod, "it failed"],
])("howItEnded() says what ended a run: %s", (_, job, pod, words) => {
  expect(howItEnded(job, pod)).toBe(words);
}); // biome-ignore format: one line reads better

const startedMs = Date.parse("2025-12-19T18:00:00Z");
const running = (annotations: Record<string, string> = {}) =>
  ({
    metadata: { annotations },
    spec: { activeDeadlineSeconds: 600 },
    status: { startTime: new Date(startedMs) },
  }) as V1Job;

test("reasonToEnd() tells a person's cancelling from what Kubernetes does", () => {
  const soon = startedMs + 60_000;
  const codeOf = (...given: Parameters<typeof reasonToEnd>) => {
    const { code, message } = reasonToEnd(...given);
    return `${code}: ${message}`;
  };
  const cancelled = {
    ...running({ "keepsake.dev/cancelled": "2025-12-19T18:01:00Z" }),
    spec: { activeDeadlineSeconds: 1 },
  };
  expect(codeOf(cancelled as V1Job, undefined, soon)).toBe("cancelled: The run was cancelled");
  expect(codeOf(running(), undefined, startedMs + 600_000)).toBe(
    "interrupted: The run was ended: it took longer than the 600 s that its Job may take",
  );
  const drained = { status: wanted("EvictionByEvictionAPI") } as V1Pod;
  expect(codeOf(running(), drained, soon)).toContain("interrupted: The run was ended: its node was drained");
  // Also when the API is away, so that nothing is known.
  for (const job of [running(), undefined])
    expect(codeOf(job, undefined, soon)).toBe(
      "interrupted: The run was ended: Kubernetes, or somebody by kubectl, told its pod to end",
    );
});
