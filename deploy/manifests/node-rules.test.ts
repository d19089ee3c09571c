import { expect, test } from "vitest";
import { compareNodeRules, nodeRulesOf } from "./node-rules.ts";

const gpu = {
  nodeSelector: { "nvidia.com/gpu.present": "true" },
  tolerations: [{ key: "dedicated", operator: "Equal", value: "gpu", effect: "NoSchedule" }],
};
const zone = { key: "zone", operator: "In", values: ["a", "b"] };
const inZone = {
  requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [zone] }] },
};

test("nodeRulesOf() takes selector, tolerations and node affinity, and nothing that is about other pods", () => {
  expect(nodeRulesOf({ containers: [], ...gpu })).toEqual(gpu);
  const podAntiAffinity = {
    requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "kubernetes.io/hostname" }],
  };
  expect(nodeRulesOf({ affinity: { nodeAffinity: inZone, podAntiAffinity } })).toEqual({
    affinity: { nodeAffinity: inZone },
  });
  expect(nodeRulesOf({ nodeSelector: {}, tolerations: [] })).toEqual({});
});

test("nodeRulesOf() of a pod that names its node asks the scheduler for that node, beside what else is asked", () => {
  const here = { key: "metadata.name", operator: "In", values: ["shed"] };
  const rules = nodeRulesOf({ nodeName: "shed", affinity: { nodeAffinity: inZone } });
  expect(rules.affinity?.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms).toEqual([
    { matchExpressions: [zone], matchFields: [here] },
  ]);
  expect(rules.tolerations).toEqual([{ operator: "Exists", effect: "NoSchedule" }]);
  expect(nodeRulesOf({ nodeName: "shed" }).affinity).toEqual({
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields: [here] }] } },
  });
});

test("compareNodeRules() finds nothing in equal rules in another order, and names each difference", () => {
  const two = [...gpu.tolerations, { key: "slow", operator: "Exists" }];
  expect(compareNodeRules({ ...gpu, tolerations: two }, { ...gpu, tolerations: two.toReversed() })).toEqual([]);
  expect(compareNodeRules(gpu, {})).toEqual([
    "lacks the node selector nvidia.com/gpu.present=true",
    "lacks the toleration of dedicated=gpu:NoSchedule",
  ]);
  expect(compareNodeRules({}, { nodeSelector: { disk: "ssd" }, tolerations: [{ operator: "Exists" }] })).toEqual([
    "has the node selector disk=ssd, which the app has not",
    "has the toleration of any taint, which the app has not",
  ]);
  expect(compareNodeRules({ affinity: { nodeAffinity: inZone } }, {})).toEqual([
    "has another node affinity than the app",
  ]);
});
