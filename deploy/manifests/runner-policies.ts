import { leaseName } from "../../shared/cluster/names.ts";
import { stoppedAnnotation } from "../../shared/cluster/stopped-mark.ts";
import type { Manifest } from "./object.ts";
import { listOf, policyName, validatingBinding, validatingPolicy } from "./policy.ts";
import { appNamespaces, runnerAccount, type Site, userOf } from "./site.ts";

/**
 * What a role cannot say of a run's account: that it changes nothing of a workload but its replicas and the mark of who
 * stopped it, and that it makes no Lease but those of Keepsake.
 */
export function runnerPolicies(site: Site): Manifest[] {
  const users = appNamespaces(site).map((namespace) => userOf(namespace, runnerAccount));
  const when = { "by-a-run": `request.userInfo.username in ${listOf(users)}` };
  const [workloads, leases] = [policyName(site, "workloads"), policyName(site, "leases")] as const;
  const leaseNames = site.apps.flatMap(({ name, kubernetes: { namespace } }) =>
    (["main", "scrub", "drill"] as const).map((lane) => `${namespace}/${leaseName(name, lane)}`),
  );
  return [
    validatingPolicy(workloads, {
      on: [{ apiGroup: "apps", resources: ["deployments", "statefulsets"], operations: ["UPDATE"] }],
      when,
      variables: { now: "dyn(object.spec)", before: "dyn(oldObject.spec)" },
      checks: [
        {
          expression: fields.map((name) => `variables.now.?${name} == variables.before.?${name}`).join(" && "),
          message: "A run changes how many replicas a workload has, and nothing else of it",
        },
        {
          expression: [
            ...["labels", "ownerReferences", "finalizers"].map(
              (name) => `object.metadata.?${name} == oldObject.metadata.?${name}`,
            ),
            kept("object", "oldObject"),
            kept("oldObject", "object"),
          ].join(" && "),
          message: `A run writes no annotation but ${stoppedAnnotation}`,
        },
      ],
    }),
    validatingBinding(workloads, workloads),
    validatingPolicy(leases, {
      on: [{ apiGroup: "coordination.k8s.io", resources: ["leases"], operations: ["CREATE", "UPDATE"] }],
      when,
      checks: [
        {
          expression: `(request.namespace + '/' + object.metadata.name) in ${listOf(leaseNames)}`,
          message: "A run holds no Lease but those of its app",
        },
      ],
    }),
    validatingBinding(leases, leases),
  ];
}

/** Of a Deployment or a StatefulSet, all but `replicas`. */
const fields = [
  ...["template", "selector", "minReadySeconds", "revisionHistoryLimit"],
  ...["strategy", "paused", "progressDeadlineSeconds"],
  ...["serviceName", "volumeClaimTemplates", "podManagementPolicy", "updateStrategy", "ordinals"],
  "persistentVolumeClaimRetentionPolicy",
];

const kept = (from: string, of: string) =>
  `${from}.metadata.?annotations.orValue({}).all(name, name == '${stoppedAnnotation}' || ${of}.metadata.?annotations[?name] == ${from}.metadata.?annotations[?name])`;
