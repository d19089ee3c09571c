import type { CoreV1Event, V1ContainerStatus, V1Job, V1Pod } from "@kubernetes/client-node";

/** Why a run's pod does not begin, and what to do about it: one sentence each. */
export interface Hindrance {
  readonly why: string;
  readonly hint: string;
}

/** How Kubernetes says something, and what that means. `$1`… are what the pattern found. */
type Words = readonly [pattern: RegExp, why: string, hint: string];

/** What a container waits for (the reason, then the message). */
const waiting: readonly Words[] = [
  [
    /^(?:ErrImagePull|ImagePullBackOff|ErrImageNeverPull|RegistryUnavailable): .*?image "([^"]+)"/,
    'the image "$1" cannot be pulled',
    "Is its name right (cluster.image in keepsake.yaml), is it public, and does the node reach the registry?",
  ],
  [
    /^(?:ErrImagePull|ImagePullBackOff|ErrImageNeverPull|RegistryUnavailable): (.*)/,
    "its image cannot be pulled: $1",
    "Is its name right (cluster.image in keepsake.yaml), is it public, and does the node reach the registry?",
  ],
  [/^InvalidImageName: (.*)/, "its image has no valid name: $1", "Put it right in keepsake.yaml, then: make deploy"],
  [
    /^CreateContainerConfigError: .*?(secret|configmap) "([^"]+)" not found/,
    'the $1 "$2" is not there',
    "Make it in the app's namespace: deploy/secrets has the shapes. make doctor says what else is missing.",
  ],
  [
    /^CreateContainerConfigError: .*?couldn't find key (\S+) in (Secret|ConfigMap) (\S+)/,
    "the $2 $3 has no key $1",
    "Add it in the app's namespace. make doctor says what else is missing.",
  ],
  [
    /^CreateContainerConfigError: .*runAsNonRoot/,
    "its image runs as root, and the pod may not",
    "Set the app's kubernetes.user in keepsake.yaml to the owner of the data, then: make deploy",
  ],
  [
    /^(?:CreateContainer\w*Error|RunContainerError): (.*)/,
    "its container cannot be made: $1",
    "See: kubectl describe pod",
  ],
];

/** What the scheduler says. */
const unscheduled: readonly Words[] = [
  [
    /persistentvolumeclaim "([^"]+)" not found/,
    'the claim "$1" is not there',
    "Is the app installed? Else name its claim in keepsake.yaml (kubernetes.claim), then: make deploy",
  ],
  [
    /persistentvolumeclaim "([^"]+)" (?:bound to non-existent|is being deleted)/,
    'the claim "$1" is lost or being deleted',
    "See: kubectl get pvc -A",
  ],
  [
    /unbound immediate PersistentVolumeClaims/,
    "its claim is not bound to a volume",
    "See why: kubectl describe pvc. Is there a storage class for it?",
  ],
  [
    /volume node affinity conflict/,
    "its volume is on a node that it may not run on",
    "Its node rules are others than those of the app: make deploy renders them anew.",
  ],
  [
    /untolerated taint(?:\(s\)|s)? ?\{([^}]+)\}/,
    "no node takes it: untolerated taint {$1}",
    "Add the toleration that the app has to kubernetes.tolerations in keepsake.yaml, then: make deploy",
  ],
  [
    /didn't match Pod's node (?:affinity\/selector|selector|affinity)/,
    "no node matches its node rules",
    "Are the node and its labels still there? make deploy renders the rules of the app anew.",
  ],
  [/(Insufficient [a-z.\-/]*[a-z])/, "no node has room for it: $1", "Free some, or wait: the next run tries again."],
  [/(.*)/, "no node takes it: $1", "See: kubectl describe pod"],
];

/** What was tried for the pod, or for the Job, and failed. */
const failed: readonly Words[] = [
  [
    /MountVolume.*volume "export".*(access denied by server|No such file or directory|mounting [^ ]+ failed, reason given by server: [^\n]+)/,
    "the NAS refuses the export: $1",
    "Is the path right (nasExport in keepsake.yaml), and may this node mount it? On the NAS, allow the node's address.",
  ],
  [
    /MountVolume.*volume "export"(?:.*Output: )?(.*)/,
    "the export of the NAS cannot be mounted: $1",
    "Is the NAS up, and does the node reach it (nasExport in keepsake.yaml)? The node needs an NFS client (nfs-common).",
  ],
  [
    /(?:MountVolume|references).*?(secret|configmap) "([^"]+)" not found/,
    'the $1 "$2" is not there',
    "Make it in the app's namespace: deploy/secrets has the shapes. make doctor says what else is missing.",
  ],
  [/MountVolume.*volume "([^"]+)" ?: ?(.*)/, 'its volume "$1" cannot be mounted: $2', "See: kubectl describe pod"],
  [
    /exceeded quota: ([^,]+)/,
    'the quota "$1" of the namespace is used up',
    "Raise it, or free something: kubectl describe quota",
  ],
  [
    /serviceaccount "([^"]+)" not found/,
    'the account "$1" is not there',
    "make deploy makes it. make doctor says what else is missing.",
  ],
  [
    /violates PodSecurity "([^"]+)": (.*)/,
    "the namespace's Pod Security Standard ($1) refuses it: $2",
    "An NFS volume needs the level privileged or baseline with an exception: label the namespace, or mount the NAS by a claim.",
  ],
  [
    /(ValidatingAdmissionPolicy|admission webhook) '?"?([^'"]+)'?"? .*denied.*: (.*)/,
    "$1 $2 refuses it: $3",
    "make doctor compares the policies.",
  ],
];

/** Kubernetes tells these again and again; only what it told last is still so. */
const failing: ReadonlySet<string> = new Set(["FailedCreate", "FailedMount", "FailedAttachVolume", "FailedScheduling"]);

/**
 * @param events Of the Job and of its pod.
 * @returns undefined when nothing is wrong: it is being scheduled, or an image is being pulled.
 */
export function whyNot(job: V1Job, pod: V1Pod | undefined, events: readonly CoreV1Event[]): Hindrance | undefined {
  const { status } = pod ?? {};
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  for (const { state, image } of containers) {
    const text = `${state?.waiting?.reason}: ${oneLine(state?.waiting?.message) || image}`;
    const found = inWords(text, waiting);
    if (found) return found;
  }
  const scheduled = status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (scheduled?.status === "False" && scheduled.reason === "Unschedulable")
    return inWords(oneLine(scheduled.message), unscheduled);
  const about = pod?.metadata?.uid ?? job.metadata?.uid;
  const last = events
    .filter(({ involvedObject, type }) => involvedObject.uid === about && type === "Warning")
    .filter(({ reason }) => failing.has(reason ?? ""))
    .sort((a, b) => timeOf(a) - timeOf(b))
    .at(-1);
  if (!last || containers.some(begun)) return undefined;
  const text = oneLine(last.message);
  return inWords(text, failed) ?? { why: text, hint: "See: kubectl describe pod" };
}

const begun = ({ state }: V1ContainerStatus) => Boolean(state?.running ?? state?.terminated);

function inWords(text: string, table: readonly Words[]): Hindrance | undefined {
  for (const [pattern, why, hint] of table) {
    const found = pattern.exec(text);
    if (found)
      return { why: why.replaceAll(/\$(\d)/g, (_, at) => found[Number(at)]?.trim().slice(0, 300) ?? ""), hint };
  }
  return undefined;
}

const timeOf = ({ lastTimestamp, eventTime, metadata }: CoreV1Event) =>
  Number(lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? 0);

const oneLine = (text: string | undefined) => (text ?? "").replaceAll(/\s+/g, " ").trim();
