import { isDeepStrictEqual } from "node:util";
import type { V1NodeAffinity, V1NodeSelectorTerm, V1PodSpec, V1Toleration } from "@kubernetes/client-node";

/*
 * Where the pods of an app may run. A claim that is not bound yet (a rebuilt cluster) is born on the node of the first
 * pod that mounts it, and stays there: so a run that comes before the app has to go where the app would, by the
 * scheduler, which alone binds such claims. A claim that is bound takes its pods to its node by itself, if they
 * tolerate that node's taints.
 */

export interface NodeRules {
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly affinity?: { readonly nodeAffinity: V1NodeAffinity };
  readonly tolerations?: readonly V1Toleration[];
}

/**
 * What a run's pod has to carry of its app's, from the template of the workload. Rules about other pods are left out: an app
 * that keeps away from its own kind would keep its runs away from its claim.
 */
export function nodeRulesOf({ nodeSelector, affinity, tolerations = [], nodeName }: Partial<V1PodSpec>): NodeRules {
  const nodeAffinity = onNode(affinity?.nodeAffinity, nodeName);
  // Whoever names its node is not kept away by what only the scheduler heeds.
  const past: V1Toleration[] = nodeName === undefined ? [] : [{ operator: "Exists", effect: "NoSchedule" }];
  const tolerated = [...tolerations, ...past];
  return {
    ...(nodeSelector && Object.keys(nodeSelector).length > 0 && { nodeSelector }),
    ...(nodeAffinity && { affinity: { nodeAffinity } }),
    ...(tolerated.length > 0 && { tolerations: tolerated }),
  };
}

/** A pod that names its node is beyond the scheduler; the same as a rule is not. */
function onNode(affinity: V1NodeAffinity | undefined, nodeName: string | undefined): V1NodeAffinity | undefined {
  if (nodeName === undefined) return affinity;
  const terms: V1NodeSelectorTerm[] = affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [
    {},
  ];
  const here = { key: "metadata.name", operator: "In", values: [nodeName] };
  const nodeSelectorTerms = terms.map((term) => ({ ...term, matchFields: [...(term.matchFields ?? []), here] }));
  return { ...affinity, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } };
}

/**
 * What the rules of an app's runs lack of the app's own, and what they have beyond them, for people; nothing when they
 * are the same.
 */
export function compareNodeRules(app: NodeRules, runs: NodeRules): string[] {
  const [wanted, actual] = [linesOf(app), linesOf(runs)];
  return [
    ...wanted.filter((line) => !actual.includes(line)).map((line) => `lacks ${line}`),
    ...actual.filter((line) => !wanted.includes(line)).map((line) => `has ${line}, which the app has not`),
    ...(isDeepStrictEqual(plain(app.affinity), plain(runs.affinity)) ? [] : ["has another node affinity than the app"]),
  ];
}

const linesOf = ({ nodeSelector = {}, tolerations = [] }: NodeRules): string[] => [
  ...Object.entries(nodeSelector).map(([key, value]) => `the node selector ${key}=${value}`),
  ...tolerations.map((toleration) => `the toleration of ${taintOf(toleration)}`),
];

function taintOf({ key, operator = "Equal", value = "", effect, tolerationSeconds }: V1Toleration): string {
  const what = operator === "Exists" ? (key ?? "any taint") : `${key}=${value}`;
  const when = tolerationSeconds === undefined ? "" : ` for ${tolerationSeconds} s`;
  return `${what}${effect === undefined ? "" : `:${effect}`}${when}`;
}

/** Without what is undefined, as it went through JSON. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null));
