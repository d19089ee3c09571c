import { annotations, cronJobName, labels } from "../../shared/cluster/names.ts";
import { type Manifest, partOf } from "./object.ts";
import { type Check, inNamespace, listOf, policyName, validatingBinding, validatingPolicy } from "./policy.ts";
import { shapesOf } from "./shapes.ts";
import { functionsAccount, type Site, userOf } from "./site.ts";

/** What Kubernetes itself writes on a Job, and on the pods of it. */
const byKubernetes = [
  "controller-uid",
  "job-name",
  "batch.kubernetes.io/controller-uid",
  "batch.kubernetes.io/job-name",
];
const labelNames = listOf([...Object.keys(partOf), labels.app, labels.lane, ...byKubernetes]);

const jobs = (operation: "CREATE" | "UPDATE") =>
  [{ apiGroup: "batch", resources: ["jobs"], operations: [operation] }] as const;

/**
 * A role cannot say which Jobs may be made, and whoever may make any Job may run anything. So: the functions' account
 * makes Jobs of Keepsake's CronJobs alone, each like its CronJob but for the description of the run.
 */
export function jobPolicies(site: Site): Manifest[] {
  const { cluster, apps } = site;
  const when = {
    "by-the-functions": `request.userInfo.username == '${userOf(cluster.functionNamespace, functionsAccount)}'`,
  };
  const [owned, alike, changed] = ["jobs-owned", "jobs-alike", "jobs-changed"].map((what) =>
    policyName(site, what),
  ) as [string, string, string];
  const cronJobs = apps.flatMap((app) =>
    shapesOf(app).map((shape) => ({
      app: app.name,
      namespace: app.kubernetes.namespace,
      name: cronJobName(app.name, shape),
    })),
  );
  return [
    validatingPolicy(owned, { on: jobs("CREATE"), when, variables: owner, checks: ownedChecks(cronJobs) }),
    validatingBinding(owned, owned),
    validatingPolicy(alike, {
      paramKind: { apiVersion: "batch/v1", kind: "CronJob" },
      on: jobs("CREATE"),
      when,
      variables: { ...owner, ...likeness },
      checks: alikeChecks,
    }),
    // Each by its name: when it is not there, nothing can be made of it. That is found out before anything is asked
    // about who makes the Job, so it is asked of Keepsake's Jobs alone, which the policy above tells by their label.
    ...cronJobs.map(({ app, namespace, name }) =>
      validatingBinding(`${alike}-${namespace}-${name}`, alike, {
        paramRef: { name, namespace, parameterNotFoundAction: "Deny" },
        matchResources: { ...inNamespace(namespace), objectSelector: { matchLabels: { [labels.app]: app } } },
      }),
    ),
    validatingPolicy(changed, { on: jobs("UPDATE"), when, checks: changedChecks }),
    validatingBinding(changed, changed),
  ];
}

const owner = { owners: "object.metadata.?ownerReferences.orValue([])" };

/** An owner can be forged: what is made in its name is compared with it below. */
const ownedChecks = (cronJobs: readonly { app: string; namespace: string; name: string }[]): Check[] => [
  {
    expression: [
      "variables.owners.size() == 1",
      "variables.owners[0].apiVersion == 'batch/v1'",
      "variables.owners[0].kind == 'CronJob'",
      `{${cronJobs.map(({ app, namespace, name }) => `'${namespace}/${name}': '${app}'`).join(", ")}}[?request.namespace + '/' + variables.owners[0].name].orValue('-') == object.metadata.?labels[?'${labels.app}'].orValue('')`,
    ].join(" && "),
    message: "A Job of one of Keepsake's CronJobs is wanted",
  },
  {
    expression: `object.metadata.?finalizers.orValue([]).size() == 0 && object.metadata.?labels.orValue({}).all(name, name in ${labelNames}) && object.metadata.?annotations.orValue({}).all(name, name in ${listOf(["cronjob.kubernetes.io/instantiate", annotations.run])})`,
    message: "A Job with the labels and annotations of a run alone is wanted",
  },
];

const template = "object.spec.template";
const cronTemplate = "params.spec.jobTemplate.spec.template";

const likeness = {
  mine: "variables.owners.exists(o, o.name == params.metadata.name)",
  given: `${template}.metadata.?annotations.orValue({})`,
  own: `${cronTemplate}.metadata.?annotations.orValue({})`,
  labels: `${template}.metadata.?labels.orValue({})`,
  ownLabels: `${cronTemplate}.metadata.?labels.orValue({})`,
};

/** What a Job has beside its pods' template, with what it is when a CronJob does not say. */
const jobFields: readonly (readonly [name: string, byDefault: string])[] = [
  ["parallelism", "1"],
  ["completions", "1"],
  ["completionMode", "'NonIndexed'"],
  ["backoffLimit", "6"],
  ["activeDeadlineSeconds", "0"],
  ["ttlSecondsAfterFinished", "-1"],
  ["suspend", "false"],
  ["manualSelector", "false"],
  ["podReplacementPolicy", "'TerminatingOrFailed'"],
];

/** Not about a Job of another CronJob: that one is the parameter another time. */
const alikeChecks: Check[] = [
  { expression: "variables.owners[0].uid == params.metadata.uid", message: "The owner is not that CronJob" },
  // dyn: to CEL the two are of different types.
  {
    expression: `dyn(${template}.spec) == dyn(${cronTemplate}.spec)`,
    message: "The pod of the Job is not that of its CronJob",
  },
  {
    expression: `variables.given.all(name, name == '${annotations.run}' || (name in variables.own && variables.own[name] == variables.given[name])) && variables.own.all(name, name in variables.given)`,
    message: "The pod of the Job has annotations that its CronJob does not have",
  },
  {
    expression: `variables.labels.all(name, (name in variables.ownLabels && variables.ownLabels[name] == variables.labels[name]) || name in ${listOf([labels.lane, ...byKubernetes])}) && variables.ownLabels.all(name, name in variables.labels)`,
    message: "The pod of the Job has labels that its CronJob does not have",
  },
  {
    expression: [
      ...jobFields.map(
        ([name, byDefault]) =>
          `object.spec.?${name}.orValue(${byDefault}) == params.spec.jobTemplate.spec.?${name}.orValue(${byDefault})`,
      ),
      ...["podFailurePolicy", "successPolicy", "backoffLimitPerIndex", "maxFailedIndexes", "managedBy"].map(
        (name) => `!has(object.spec.${name})`,
      ),
    ].join(" && "),
    message: "The Job runs in another way than its CronJob says",
  },
].map(({ expression, message }) => ({ expression: `!variables.mine || (${expression})`, message }));

const mayChange = listOf([annotations.cancelled, annotations.outcome, annotations.told]);
const sameMap = (field: string) => `object.metadata.?${field}.orValue({}) == oldObject.metadata.?${field}.orValue({})`;
const allKept = (from: string, of: string) =>
  `${from}.metadata.?annotations.orValue({}).all(name, name in ${mayChange} || ${of}.metadata.?annotations[?name] == ${from}.metadata.?annotations[?name])`;

/** A Job that was made is ended early, and gets a note of how it ended; nothing else. */
const changedChecks: Check[] = [
  {
    expression: `'${labels.app}' in oldObject.metadata.?labels.orValue({})`,
    message: "This Job is none of Keepsake's",
  },
  {
    expression: [
      "object.spec.?activeDeadlineSeconds.orValue(9999999) <= oldObject.spec.?activeDeadlineSeconds.orValue(9999999)",
      ...["parallelism", "completions", "suspend", "ttlSecondsAfterFinished", "template"].map(
        (name) => `object.spec.?${name} == oldObject.spec.?${name}`,
      ),
    ].join(" && "),
    message: "A Job can be ended early, and is else as it was made",
  },
  {
    expression: [
      sameMap("labels"),
      "object.metadata.?ownerReferences == oldObject.metadata.?ownerReferences",
      "object.metadata.?finalizers == oldObject.metadata.?finalizers",
      allKept("object", "oldObject"),
      allKept("oldObject", "object"),
    ].join(" && "),
    message: "What a Job is marked with stays, but for how it ended",
  },
];
