import { type Manifest, object } from "./object.ts";
import type { Site } from "./site.ts";

const api = "admissionregistration.k8s.io/v1";

/** Policies belong to the cluster, so their names tell whose they are: there may be a second Keepsake. */
export const policyName = ({ cluster }: Site, what: string): string => `keepsake-${what}-${cluster.functionNamespace}`;

export interface Check {
  /** CEL; true when all is well. */
  readonly expression: string;
  readonly message: string;
}

export interface ResourceRule {
  readonly apiGroup: string;
  readonly resources: readonly string[];
  readonly operations: readonly ("CREATE" | "UPDATE")[];
}

/**
 * A ValidatingAdmissionPolicy; it does nothing without a binding.
 * @param policy.when By name, CEL: whom and what it is about; nobody else is asked anything.
 */
export function validatingPolicy(
  name: string,
  policy: {
    readonly paramKind?: { readonly apiVersion: string; readonly kind: string };
    readonly on: readonly ResourceRule[];
    readonly when: Readonly<Record<string, string>>;
    readonly variables?: Readonly<Record<string, string>>;
    readonly checks: readonly Check[];
  },
): Manifest {
  const { paramKind, on, when, variables = {}, checks } = policy;
  return object([api, "ValidatingAdmissionPolicy"], name, undefined, {
    spec: {
      failurePolicy: "Fail",
      ...(paramKind && { paramKind }),
      matchConstraints: { resourceRules: on.map(resourceRule) },
      matchConditions: named(when),
      ...(Object.keys(variables).length > 0 && { variables: named(variables) }),
      validations: checks.map(({ expression, message }) => ({ expression, message, reason: "Forbidden" })),
    },
  });
}

export function validatingBinding(
  name: string,
  policy: string,
  spec: Readonly<Record<string, unknown>> = {},
): Manifest {
  const content = { spec: { policyName: policy, validationActions: ["Deny"], ...spec } };
  return object([api, "ValidatingAdmissionPolicyBinding"], name, undefined, content);
}

export const resourceRule = ({ apiGroup, resources, operations }: ResourceRule) => ({
  apiGroups: [apiGroup],
  apiVersions: ["v1"],
  operations,
  resources,
});

export const named = (expressions: Readonly<Record<string, string>>) =>
  Object.entries(expressions).map(([name, expression]) => ({ name, expression }));

export const inNamespace = (namespace: string) => ({
  namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
});

/** A list of texts as CEL has it. */
export const listOf = (texts: readonly string[]): string => `[${texts.map((text) => `'${text}'`).join(", ")}]`;
