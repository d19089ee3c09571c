import type { CoreV1Event, V1Job, V1Pod } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { whyNot } from "./why-not.ts";

/* What Kubernetes 1.36 says, word for word, and what a person is told. */

const job = { metadata: { uid: "job" } } as V1Job;
const pending = (status: object = {}) =>
  ({ metadata: { uid: "pod" }, status: { phase: "Pending", ...status } }) as unknown as V1Pod;
const waits = (reason: string, message = "") =>
  pending({
    containerStatuses: [{ name: "runner", image: "example.org/keepsake:1", state: { waiting: { reason, message } } }],
  });
const unscheduled = (message: string) =>
  pending({ conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }] });
const event = (uid: string, reason: string, message: string, at = "2025-12-19T18:00:00Z") =>
  ({
    involvedObject: { uid },
    type: "Warning",
    reason,
    message,
    lastTimestamp: new Date(at),
    metadata: {},
  }) as CoreV1Event;
const creating = pending({
  containerStatuses: [{ name: "runner", state: { waiting: { reason: "ContainerCreating" } } }],
});

test.each<[what: string, pod: V1Pod | undefined, events: CoreV1Event[], why: string]>([
  ["an image", waits("ErrImagePull", 'failed to pull and unpack image "docker.io/library/nowhere:1": not found'), [], 'the image "docker.io/library/nowhere:1" cannot be pulled'],
  ["an image, later", waits("ImagePullBackOff", 'Back-off pulling image "example.org/keepsake:1": ErrImagePull'), [], 'the image "example.org/keepsake:1" cannot be pulled'],
  ["an image's name", waits("InvalidImageName", 'Failed to apply default image tag "A:B:C"'), [], 'its image has no valid name: Failed to apply default image tag "A:B:C"'],
  ["a secret of the environment", waits("CreateContainerConfigError", 'secret "factorio-rcon" not found'), [], 'the secret "factorio-rcon" is not there'],
  ["a key", waits("CreateContainerConfigError", "couldn't find key password in Secret sdtd/sdtd-telnet"), [], "the Secret sdtd/sdtd-telnet has no key password"],
  ["a claim", unscheduled('0/1 nodes are available: persistentvolumeclaim "saves" not found. not found'), [], 'the claim "saves" is not there'],
  ["a claim without a volume", unscheduled("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"), [], "its claim is not bound to a volume"],
  ["a volume's node", unscheduled("0/2 nodes are available: 1 node(s) had volume node affinity conflict, 1 node(s) had untolerated taint(s)."), [], "its volume is on a node that it may not run on"],
  ["a taint", unscheduled("0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}. no new claims to deallocate"), [], "no node takes it: untolerated taint {dedicated: gpu}"],
  ["memory", unscheduled("0/1 nodes are available: 1 Insufficient memory. no new claims to deallocate"), [], "no node has room for it: Insufficient memory"],
  ["an export", creating, [event("pod", "FailedMount", 'MountVolume.SetUp failed for volume "export" : mount failed: exit status 32\nMounting command: mount\nMounting arguments: -t nfs 10.20.10.20:/data /var/lib/kubelet/pods/x\nOutput: mount.nfs: access denied by server while mounting 10.20.10.20:/data')], "the NAS refuses the export: access denied by server"],
  ["a NAS that is away", creating, [event("pod", "FailedMount", 'MountVolume.SetUp failed for volume "export" : mount failed: exit status 32\nOutput: mount.nfs: Connection timed out')], "the export of the NAS cannot be mounted: mount.nfs: Connection timed out"],
  ["a config map", creating, [event("pod", "FailedMount", 'MountVolume.SetUp failed for volume "config" : configmap "keepsake" not found')], 'the configmap "keepsake" is not there'],
  ["a quota", undefined, [event("job", "FailedCreate", 'Error creating: pods "keepsake-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0')], 'the quota "small" of the namespace is used up'],
])("whyNot() says what is in a pod's way: %s", (_, pod, events, why) => {
  const hindrance = whyNot(job, pod, events);
  expect(hindrance?.why).toBe(why);
  expect(hindrance?.hint).toMatch(/\w/);
}); // biome-ignore format: one line reads better

test("whyNot() finds nothing wrong with a pod that is on its way", () => {
  for (const pod of [undefined, pending(), waits("ContainerCreating"), waits("PodInitializing")])
    expect(whyNot(job, pod, [])).toBeUndefined();
  // It is still pulling; and another pod's trouble is none of its own.
  const pulling = event("pod", "Pulling", 'Pulling image "example.org/keepsake:1"');
  expect(whyNot(job, creating, [{ ...pulling, type: "Normal" } as CoreV1Event])).toBeUndefined();
  expect(whyNot(job, creating, [event("other", "FailedMount", "MountVolume failed")])).toBeUndefined();
});

test("whyNot() goes by what was said last", () => {
  const events = [
    event(
      "pod",
      "FailedMount",
      'MountVolume.SetUp failed for volume "config" : configmap "keepsake" not found',
      "2025-12-19T18:00:30Z",
    ),
    event("pod", "FailedScheduling", "0/1 nodes are available: 1 Insufficient cpu.", "2025-12-19T18:00:00Z"),
  ];
  expect(whyNot(job, creating, events)?.why).toBe('the configmap "keepsake" is not there');
});
