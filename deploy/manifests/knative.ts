import type { Deployment } from "../../shared/stack/stack-file.ts";
import { exportAnnotation } from "./function-policies.ts";
import { type Manifest, object } from "./object.ts";
import { locked } from "./pod.ts";
import { functionsAccount, type Site } from "./site.ts";

/*
 * The same functions, of the same stack.yml, on Knative: Services, PingSources for those that a schedule calls, and
 * Triggers for those that events wake. Runs are Jobs as ever.
 */

const claim = "keepsake-export";
const broker = "keepsake";

/** By file, in the order in which it is applied. */
export function knativeManifests(site: Site, stack: readonly Deployment[]): ReadonlyMap<string, readonly Manifest[]> {
  return new Map([
    ["export.yaml", exportClaim(site)],
    ["services.yaml", stack.map((fn) => service(site, fn))],
    ["sources.yaml", stack.flatMap((fn) => sources(site, fn))],
    ["triggers.yaml", triggers(site, stack)],
  ]);
}

/** Knative takes no NFS volume in a Service, but a claim of one. */
function exportClaim({ cluster, config: { nasExport } }: Site): Manifest[] {
  const size = { storage: "1Gi" };
  const spec = { accessModes: ["ReadOnlyMany"], storageClassName: "" };
  return [
    object(["v1", "PersistentVolume"], claim, undefined, {
      spec: {
        ...spec,
        capacity: size,
        persistentVolumeReclaimPolicy: "Retain",
        mountOptions: ["ro"],
        nfs: { ...nasExport, readOnly: true },
        claimRef: { namespace: cluster.functionNamespace, name: claim },
      },
    }),
    object(["v1", "PersistentVolumeClaim"], claim, cluster.functionNamespace, {
      spec: { ...spec, volumeName: claim, resources: { requests: size } },
    }),
  ];
}

function service(site: Site, fn: Deployment): Manifest {
  const { functionNamespace, image } = site.cluster;
  const hasExport = fn.annotations?.[exportAnnotation] === "read-only";
  const env = {
    ...fn.envVars,
    // Each function has a host of its own.
    ...(fn.service === "status" && { KEEPSAKE_GATEWAY: `http://{function}.${functionNamespace}.svc.cluster.local` }),
  };
  // Those of apps are there while somebody asks. Notify and status have consumers and timers of their own.
  const scale = {
    "autoscaling.knative.dev/min-scale": hasExport ? "0" : "1",
    "autoscaling.knative.dev/max-scale": "1",
  };
  const spec = {
    ...(hasExport && { serviceAccountName: functionsAccount }),
    enableServiceLinks: false,
    // Whoever follows a run asks again after that.
    timeoutSeconds: 600,
    containers: [
      {
        image,
        env: Object.entries(env).map(([name, value]) => ({ name, value })),
        ports: [{ containerPort: 8080 }],
        readinessProbe: { httpGet: { path: "/_/ready" } },
        resources: { requests: fn.requests, limits: fn.limits },
        securityContext: { ...locked, readOnlyRootFilesystem: true, runAsNonRoot: true },
        volumeMounts: [
          { name: "secrets", mountPath: "/var/openfaas/secrets", readOnly: true },
          { name: "tmp", mountPath: "/tmp" },
          ...(hasExport ? [{ name: "export", mountPath: site.config.nas, readOnly: true }] : []),
        ],
      },
    ],
    volumes: [
      { name: "secrets", projected: { sources: (fn.secrets ?? []).map((name) => ({ secret: { name } })) } },
      { name: "tmp", emptyDir: {} },
      ...(hasExport ? [{ name: "export", persistentVolumeClaim: { claimName: claim, readOnly: true } }] : []),
    ],
  };
  // Whoever reaches a function may start a backup: it is not for everybody outside.
  const visibility = { "networking.knative.dev/visibility": "cluster-local" };
  return object(
    ["serving.knative.dev/v1", "Service"],
    fn.service,
    functionNamespace,
    { spec: { template: { metadata: { annotations: scale }, spec } } },
    visibility,
  );
}

const serviceOf = (name: string) => ({ ref: { apiVersion: "serving.knative.dev/v1", kind: "Service", name } });

function sources({ cluster }: Site, { service: name, annotations }: Deployment): Manifest[] {
  const written = annotations?.schedule;
  if (annotations?.topic !== "cron-function" || written === undefined) return [];
  const [, timezone, schedule] = /^(?:CRON_TZ=(\S+) )?(.*)$/.exec(written) ?? [];
  const spec = { schedule, ...(timezone && { timezone }), sink: serviceOf(name) };
  return [object(["sources.knative.dev/v1", "PingSource"], name, cluster.functionNamespace, { spec })];
}

/** Who is bound to an event is called for it. */
function triggers({ cluster: { functionNamespace } }: Site, stack: readonly Deployment[]): Manifest[] {
  const woken = stack.filter(({ annotations }) => annotations?.topic && annotations.topic !== "cron-function");
  return [
    object(["eventing.knative.dev/v1", "Broker"], broker, functionNamespace, {}),
    ...woken.map(({ service: name, annotations }) => {
      const filter = { attributes: { type: `keepsake.${annotations?.topic}.v1` } };
      const spec = { broker, filter, subscriber: serviceOf(name) };
      return object(["eventing.knative.dev/v1", "Trigger"], name, functionNamespace, { spec });
    }),
  ];
}
