import { servers } from "../../images/servers.ts";
import type { Namespace } from "../../namespace.ts";

export interface ServerPod {
  readonly container: { readonly command: string[]; readonly readinessProbe: object; readonly volumeMounts?: object[] };
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
  const mounts = [...(container.volumeMounts ?? []), { name: "data", mountPath: "/data" }];
  await home.apply([
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, labels },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [{ name: "server", image: servers, ...container, volumeMounts: mounts }],
        volumes: [...volumes, { name: "data", emptyDir: {} }],
      },
    },
    { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { selector: labels, ports: [{ port }] } },
  ]);
  await home.until(`pod/${name}`, "condition=Ready");
}
