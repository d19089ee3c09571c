import { exportVolume } from "./export-patch.ts";
import { type Manifest, object } from "./object.ts";
import { inNamespace, named, policyName, resourceRule, validatingBinding, validatingPolicy } from "./policy.ts";
import { functionsAccount, type Site } from "./site.ts";

/** On a function's Deployment (stack.yml), with the value "read-only": it gets the export and the account. */
export const exportAnnotation = "keepsake.dev/export";

const api = "admissionregistration.k8s.io/v1";
const deployments = { apiGroup: "apps", resources: ["deployments"], operations: ["CREATE", "UPDATE"] } as const;

/**
 * What OpenFaaS cannot give a function: the export, read-only, and the account. Deployments that ask for it by their
 * annotation get it, whenever they are written; applied once more it changes nothing. Taking the annotation away does
 * not undo it.
 */
export function functionPolicies(site: Site): Manifest[] {
  const { functionNamespace } = site.cluster;
  const name = policyName(site, "export");
  const account = policyName(site, "account");
  return [
    object([api, "MutatingAdmissionPolicy"], name, undefined, {
      spec: {
        failurePolicy: "Fail",
        reinvocationPolicy: "IfNeeded",
        matchConstraints: { resourceRules: [resourceRule(deployments)] },
        matchConditions: named({
          asks: `object.metadata.?annotations[?'${exportAnnotation}'].orValue('') == 'read-only'`,
        }),
        mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression: mountExport(site) } }],
      },
    }),
    object([api, "MutatingAdmissionPolicyBinding"], name, undefined, {
      spec: { policyName: name, matchResources: inNamespace(functionNamespace) },
    }),
    accountPolicy(site, account),
    validatingBinding(account, account, { matchResources: inNamespace(functionNamespace) }),
  ];
}

/** Everything in it is merged by its name: volumes, containers, and mounts by their path. */
function mountExport({ config }: Site): string {
  const pod = "Object.spec.template.spec";
  return `Object{
  spec: Object.spec{
    template: Object.spec.template{
      spec: ${pod}{
        serviceAccountName: "${functionsAccount}",
        automountServiceAccountToken: true,
        volumes: [${pod}.volumes{
          name: "${exportVolume}",
          nfs: ${pod}.volumes.nfs{server: "${config.nasExport.server}", path: "${config.nasExport.path}", readOnly: true}
        }],
        containers: object.spec.template.spec.containers.map(c, ${pod}.containers{
          name: c.name,
          volumeMounts: [${pod}.containers.volumeMounts{name: "${exportVolume}", mountPath: "${config.nas}", readOnly: true}]
        })
      }
    }
  }
}
`;
}

/**
 * Whoever may deploy a function could ask for the export and the account with any image: only Keepsake's own gets them,
 * started as it is meant to be.
 */
function accountPolicy({ cluster }: Site, name: string): Manifest {
  const pods = { apiGroup: "", resources: ["pods"], operations: ["CREATE", "UPDATE"] } as const;
  return validatingPolicy(name, {
    on: [deployments, pods],
    when: { "with-the-account": `(${pod}).?serviceAccountName.orValue('') == '${functionsAccount}'` },
    variables: {
      pod,
      containers: "variables.pod.containers + variables.pod.?initContainers.orValue([])",
    },
    checks: [
      {
        expression: `variables.containers.all(c, c.image == '${cluster.image}')`,
        message: `The account "${functionsAccount}" is for the image ${cluster.image} alone: KEEPSAKE_IMAGE of stack.yml and cluster.image of keepsake.yaml have to be the same`,
      },
      {
        expression: "variables.containers.all(c, !has(c.command) && !has(c.args) && !has(c.lifecycle))",
        message: `The account "${functionsAccount}" is for the image's own program alone`,
      },
      {
        expression:
          "variables.containers.all(c, c.?env.orValue([]).all(e, !e.name.matches('^(NODE_|LD_|DYLD_|PATH$)')) && !has(c.envFrom))",
        message: "A variable that would change what the image's program is cannot be set",
      },
    ],
  });
}

const pod = "request.resource.resource == 'pods' ? dyn(object.spec) : dyn(object.spec.template.spec)";
