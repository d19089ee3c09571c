import { servers } from "../../images/servers.ts";
import type { Namespace } from "../../namespace.ts";
import { has } from "../../objects.ts";

export interface ServerPod {
  readonly container: {
    readonly command: string[];
    /** What says that it is up. */
    readonly probe: object;
    readonly volumeMounts?: object[];
  };
  readonly volumes?: object[];
}

/**
 * Starts a server in a pod, with a folder /data of its own, behind a Service of its name; it is ready when this returns.
 */
export async function serve(
  home: Namespace,
  name: string,
  port: number,
  { container, volumes = [] }: ServerPod,
): Promise<void> {
  const labels = { "app.kubernetes.io/name": name };
  const { probe, command, volumeMounts = [] } = container;
  const startupProbe = { ...probe, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 60 };
  const mounts = [...volumeMounts, { name: "data", mountPath: "/data" }];
  await home.apply([
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, labels },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [{ name: "server", image: servers, command, startupProbe, volumeMounts: mounts }],
        volumes: [...volumes, { name: "data", emptyDir: {} }],
      },
    },
    { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { selector: labels, ports: [{ port }] } },
  ]);
  await home.until("Pod", name, has("Ready"));
}
