import { locked, ownContainer, type PodSpec } from "./pod.ts";
import type { ClusterApp, Site } from "./site.ts";

/** How long the renderer may take. Publishing has the rest of the Job's time. */
export const renderSeconds = 6 * 3600;

const work = { name: "work", mountPath: "/work" };

/**
 * Mapshot's render: Keepsake decides whether there is a new save, and lays it out in the work folder (and Factorio,
 * unpacked once from the NAS's installer, on the claim); the user's own image renders it; the runner publishes.
 * The renderer always ends well, and leaves its status for the runner, who tells how the run ended.
 */
export function withRenderer(site: Site, app: ClusterApp, pod: PodSpec): PodSpec {
  const { companion, mountPath = "/mapshot" } = app.kubernetes;
  return {
    ...pod,
    initContainers: [
      mounted(ownContainer(site, app, "prepare", "prepare")),
      {
        name: "renderer",
        image: companion?.image,
        // A tag like `latest` means the newest.
        imagePullPolicy: "Always",
        command: ["/bin/sh", "-c", script],
        workingDir: "/work",
        // Xvfb and Factorio write to the image's own folders: its root is not read-only.
        securityContext: locked,
        resources: {
          requests: { cpu: "1", memory: "2Gi" },
          limits: { memory: companion?.memory },
        },
        volumeMounts: [
          { name: "data", mountPath, ...(app.kubernetes.claimSubPath && { subPath: app.kubernetes.claimSubPath }) },
          { name: "tmp", mountPath: "/tmp" },
          work,
        ],
      },
    ],
    containers: pod.containers.map(mounted),
    volumes: [...pod.volumes, { name: "work", emptyDir: {} }],
  };
}

/** Without a command there is nothing to render: what stands there is published, or is as it was. */
const script = [
  "[ -f command ] || exit 0",
  `timeout ${renderSeconds} /bin/sh command >log 2>&1 && status=0 || status=$?`,
  "tail -n 20 log",
  'echo "$status" >status',
].join("\n");

const mounted = <C extends { readonly [key: string]: unknown }>(container: C): C => ({
  ...container,
  env: [...(container.env as unknown[]), { name: "KEEPSAKE_COMPANION", value: work.mountPath }],
  volumeMounts: [...(container.volumeMounts as unknown[]), work],
});
