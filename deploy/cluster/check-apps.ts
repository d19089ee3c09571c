import { askIfThere } from "../../shared/cluster/ask.ts";
import type { Cluster } from "../../shared/cluster/client.ts";
import { listWorkloads, nameOf, onlyOne } from "../../shared/cluster/live-workload.ts";
import { cronJobName } from "../../shared/cluster/names.ts";
import { readMark } from "../../shared/cluster/stopped-mark.ts";
import { Failure } from "../../shared/failures.ts";
import type { Check } from "../cli/checks.ts";
import { compareNodeRules, nodeRulesOf } from "../manifests/node-rules.ts";
import type { ClusterApp } from "../manifests/site.ts";

/** What an app has in its namespace: the workload that is stopped, the claim, the secrets. Without one that is told elsewhere. */
export async function checkApp(cluster: Cluster, app: ClusterApp): Promise<Check[]> {
  const name = app.kubernetes.namespace;
  const there = await askIfThere(`look at namespace "${name}"`, () => cluster.core.readNamespace({ name }));
  if (!there) return [];
  return [
    await checkWorkload(cluster, app),
    await checkClaim(cluster, app),
    ...(await checkSecrets(cluster, app)),
  ].flat();
}

async function checkWorkload(cluster: Cluster, { name, kubernetes }: ClusterApp): Promise<Check[]> {
  const { namespace, workload } = kubernetes;
  if (!workload) return [];
  const what = `${name}: workload`;
  const place = { namespace, workload };
  try {
    const live = onlyOne(await listWorkloads(cluster, place, 10_000), place, name);
    const mark = readMark(live.annotations);
    const said = `${nameOf(live)} in "${namespace}", ${live.replicas} replicas`;
    const lacks = await differentRules(cluster, name, namespace, nodeRulesOf(live.template.spec ?? {}));
    const checks: Check[] = [];
    if (live.replicas === 0 && mark === undefined) {
      const remedy = `A restore leaves it so. To start it: kubectl scale ${live.kind.toLowerCase()} ${live.name} -n ${namespace} --replicas=1`;
      checks.push({ what, ok: false, found: `${said}: nobody has started it`, remedy });
    } else if (mark !== undefined) {
      const remedy = `The next run brings it back, once none is at work: make backup-${name}`;
      checks.push({ what, ok: false, found: `${said}: a run has stopped it`, remedy });
    } else checks.push({ what, ok: true, found: said });
    if (lacks.length > 0) {
      const remedy =
        "A claim that is not bound yet would be born elsewhere. To take over the app's: make deploy CONFIG=…";
      checks.push({ what: `${name}: node rules`, ok: false, found: `its CronJob ${lacks.join("; ")}`, remedy });
    }
    return checks;
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "workload_failed") throw error;
    return [{ what, ok: false, found: error.message, ...(error.hint !== undefined && { remedy: error.hint }) }];
  }
}

/** What the CronJob of an app lacks of its workload's node rules; nothing when there is no CronJob: that is told elsewhere. */
async function differentRules(
  cluster: Cluster,
  app: string,
  namespace: string,
  rules: ReturnType<typeof nodeRulesOf>,
): Promise<string[]> {
  const name = cronJobName(app);
  const cronJob = await askIfThere(`look at the CronJob "${name}"`, () =>
    cluster.batch.readNamespacedCronJob({ name, namespace }),
  );
  const spec = cronJob?.spec?.jobTemplate.spec?.template.spec;
  return spec ? compareNodeRules(rules, nodeRulesOf(spec)) : [];
}

async function checkClaim(cluster: Cluster, { name, kubernetes }: ClusterApp): Promise<Check[]> {
  const { namespace, claim } = kubernetes;
  if (claim === undefined) return [];
  const what = `${name}: claim`;
  const live = await askIfThere(`look at the claim "${claim}"`, () =>
    cluster.core.readNamespacedPersistentVolumeClaim({ name: claim, namespace }),
  );
  if (!live) {
    const remedy = `kubectl get pvc -n ${namespace} shows what is there; its name goes to apps.${name}.kubernetes.claim`;
    return [{ what, ok: false, found: `"${claim}" is not there`, remedy }];
  }
  const { phase } = live.status ?? {};
  if (phase === "Lost") {
    const remedy = `Its volume is gone: kubectl describe pvc ${claim} -n ${namespace}`;
    return [{ what, ok: false, found: `"${claim}" is lost`, remedy }];
  }
  const isBorn = phase === "Bound";
  return [
    {
      what,
      ok: true,
      found: `"${claim}" is ${isBorn ? "bound" : "not bound yet: its first pod decides where it is born"}`,
    },
  ];
}

async function checkSecrets(cluster: Cluster, { name, kubernetes }: ClusterApp): Promise<Check[]> {
  const checks: Check[] = [];
  for (const [file, from] of Object.entries(kubernetes.secrets ?? {})) {
    const [secret = "", key = ""] = from.split("/");
    checks.push(
      await checkSecret(cluster, { what: `${name}: ${file}`, namespace: kubernetes.namespace, secret, keys: [key] }),
    );
  }
  return checks;
}

/** Whether a secret is there, with these keys. Nobody sees what is in it, but that there is something, if there has to be. */
export async function checkSecret(
  cluster: Cluster,
  { what, namespace, secret, keys, mayBeEmpty = false }: SecretShape,
): Promise<Check> {
  const live = await askIfThere(`look at the secret "${secret}"`, () =>
    cluster.core.readNamespacedSecret({ name: secret, namespace }),
  );
  const lacking = keys.find((key) => !(mayBeEmpty ? live?.data?.[key] !== undefined : live?.data?.[key]));
  if (live && lacking === undefined) return { what, ok: true, found: `the secret "${secret}" in "${namespace}"` };
  const why = live ? `has no "${lacking}"` : "is not there";
  const remedy = "deploy/secrets has the shapes of all secrets.";
  return { what, ok: false, found: `the secret "${secret}" in "${namespace}" ${why}`, remedy };
}

interface SecretShape {
  readonly what: string;
  readonly namespace: string;
  readonly secret: string;
  readonly keys: readonly string[];
  readonly mayBeEmpty?: boolean;
}
