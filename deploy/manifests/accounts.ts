import { cronJobName, leaseName } from "../../shared/cluster/names.ts";
import { type Manifest, object } from "./object.ts";
import { shapesOf } from "./shapes.ts";
import { appNamespaces, type ClusterApp, functionsAccount, runnerAccount, type Site } from "./site.ts";

/** One line of a role. */
export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  /** Those alone; any when absent. A list by such a name is allowed only where it asks for that name. */
  readonly resourceNames?: readonly string[];
}

const rbac = "rbac.authorization.k8s.io";
const rule = (apiGroup: string, resource: string, verbs: string[], names?: readonly string[]): Rule => ({
  apiGroups: [apiGroup],
  resources: [resource],
  verbs,
  ...(names && { resourceNames: names }),
});

const leasesOf = ({ name }: ClusterApp) => (["main", "scrub", "drill"] as const).map((lane) => leaseName(name, lane));

/** What the functions may do in an app's namespace: start and follow runs, and see how the app is. Nothing else anywhere. */
export function functionsRules(app: ClusterApp): Rule[] {
  return [
    rule("batch", "jobs", ["create", "get", "list", "patch"]),
    rule(
      "batch",
      "cronjobs",
      ["get"],
      shapesOf(app).map((shape) => cronJobName(app.name, shape)),
    ),
    rule("", "pods", ["get", "list"]),
    rule("", "pods/log", ["get"]),
    rule("", "events", ["list"]),
    rule("coordination.k8s.io", "leases", ["get"], leasesOf(app)),
    ...workloadRules(app, ["get", "list"]),
  ];
}

/** What a run may do in its namespace: hold its lock, see who else is there, and stop and start the app. */
export function runnerRules(app: ClusterApp): Rule[] {
  const { workload } = app.kubernetes;
  return [
    // Under which name a Lease is made, a role cannot say: the policy does.
    rule("coordination.k8s.io", "leases", ["create"]),
    rule("coordination.k8s.io", "leases", ["get", "update"], leasesOf(app)),
    rule("batch", "jobs", ["get", "list"]),
    rule("", "pods", ["get", "list", "watch"]),
    ...workloadRules(app, ["get", "list", "watch", "patch"]),
    ...(workload
      ? [
          rule("apps", `${resourceOf(workload.kind)}/scale`, ["patch"], named(workload.name)),
          rule("autoscaling", "horizontalpodautoscalers", ["list"]),
        ]
      : []),
  ];
}

/** On what is stopped and started. One that is found by its labels has no name that a role could tell. */
function workloadRules({ kubernetes: { workload } }: ClusterApp, verbs: string[]): Rule[] {
  return workload ? [rule("apps", resourceOf(workload.kind), verbs, named(workload.name))] : [];
}

const named = (name: string | undefined) => (name === undefined ? undefined : [name]);
const resourceOf = (kind: "Deployment" | "StatefulSet") => `${kind.toLowerCase()}s`;

/** Accounts and their roles. Rights are given by namespace, never in the cluster as a whole. */
export function accounts(site: Site): Manifest[] {
  const { functionNamespace } = site.cluster;
  const account = (namespace: string, name: string) => object(["v1", "ServiceAccount"], name, namespace, {});
  const grant = (app: ClusterApp, name: string, rules: Rule[], of: { name: string; namespace: string }) => {
    const { namespace } = app.kubernetes;
    return [
      object([`${rbac}/v1`, "Role"], name, namespace, { rules }),
      object([`${rbac}/v1`, "RoleBinding"], name, namespace, {
        roleRef: { apiGroup: rbac, kind: "Role", name },
        subjects: [{ kind: "ServiceAccount", ...of }],
      }),
    ];
  };
  return [
    account(functionNamespace, functionsAccount),
    ...appNamespaces(site).map((namespace) => account(namespace, runnerAccount)),
    ...site.apps.flatMap((app) => [
      ...grant(app, `keepsake-${app.name}-functions`, functionsRules(app), {
        name: functionsAccount,
        namespace: functionNamespace,
      }),
      ...grant(app, `keepsake-${app.name}-runner`, runnerRules(app), {
        name: runnerAccount,
        namespace: app.kubernetes.namespace,
      }),
    ]),
  ];
}
