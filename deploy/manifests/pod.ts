import { annotations, runnerContainer } from "../../shared/cluster/names.ts";
import type { NodeRules } from "./node-rules.ts";
import { type ClusterApp, runnerAccount, type Site } from "./site.ts";

export interface Volume {
  readonly name: string;
  readonly [source: string]: unknown;
}

export interface Container {
  readonly name: string;
  readonly [key: string]: unknown;
}

/** A pod's spec: a run's, with what stands beside the runner in it. */
export interface PodSpec {
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly Volume[];
  readonly [key: string]: unknown;
}

/** The entry of the image, with Node's options for a runner (functions/function.ts says why). */
export const program = (name: string): string[] => [
  "node",
  "--max-semi-space-size=1",
  "--max-old-space-size=256",
  "/app/keepsake.cjs",
  name,
];

/** No container may become more than it is. Whom it runs as, the pod says. */
export const locked = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
};

const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });

/** What tells a process in the pod which run it is of, and who it is. */
const environment = [
  { name: "KEEPSAKE_CONFIG", value: "/etc/keepsake/keepsake.yaml" },
  field("KEEPSAKE_RUN", `metadata.annotations['${annotations.run}']`),
  field("POD_NAME", "metadata.name"),
  field("POD_UID", "metadata.uid"),
  field("POD_NAMESPACE", "metadata.namespace"),
];

/** A container of Keepsake's own image in the pod of a run, with everything that a run needs mounted. */
export function ownContainer(site: Site, app: ClusterApp, name: string, programName: string): Container {
  const { claim, mountPath = "/data", claimSubPath } = app.kubernetes;
  return {
    name,
    image: site.cluster.image,
    imagePullPolicy: "IfNotPresent",
    command: program(programName),
    env: environment,
    resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "512Mi" } },
    securityContext: { ...locked, readOnlyRootFilesystem: true },
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    volumeMounts: [
      ...(claim ? [{ name: "data", mountPath, ...(claimSubPath && { subPath: claimSubPath }) }] : []),
      { name: "export", mountPath: site.config.nas },
      { name: "config", mountPath: "/etc/keepsake", readOnly: true },
      { name: "secrets", mountPath: "/var/openfaas/secrets", readOnly: true },
      { name: "tmp", mountPath: "/tmp" },
      { name: "state", mountPath: site.config.state },
    ],
  };
}

/** The pod of a run, with the runner alone in it. */
export function runnerPod(site: Site, app: ClusterApp, rules: NodeRules | undefined): PodSpec {
  const { user, nodeSelector, tolerations } = app.kubernetes;
  const { affinity, ...where } = rules ?? { nodeSelector, tolerations };
  return {
    serviceAccountName: runnerAccount,
    restartPolicy: "Never",
    // A copy under way is brought to a clean end, and the app is brought back.
    terminationGracePeriodSeconds: 120,
    enableServiceLinks: false,
    ...(where.nodeSelector && { nodeSelector: where.nodeSelector }),
    ...(affinity && { affinity }),
    ...(where.tolerations && { tolerations: where.tolerations }),
    securityContext: {
      ...(user && { runAsUser: user.uid, runAsGroup: user.gid }),
      runAsNonRoot: user?.uid !== 0,
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [ownContainer(site, app, runnerContainer, "run")],
    volumes: volumes(site, app),
  };
}

function volumes({ config }: Site, { kubernetes: { claim, secrets = {} } }: ClusterApp): Volume[] {
  return [
    ...(claim ? [{ name: "data", persistentVolumeClaim: { claimName: claim } }] : []),
    { name: "export", nfs: { server: config.nasExport.server, path: config.nasExport.path } },
    { name: "config", configMap: { name: "keepsake" } },
    {
      name: "secrets",
      // Readable by whichever user the run is.
      projected: {
        defaultMode: 0o444,
        sources: [
          { secret: { name: "keepsake", optional: true } },
          ...Object.entries(secrets).map(([path, from]) => {
            const [name, key] = from.split("/");
            return { secret: { name, items: [{ key, path }] } };
          }),
        ],
      },
    },
    { name: "tmp", emptyDir: {} },
    { name: "state", emptyDir: {} },
  ];
}
