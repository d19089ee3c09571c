import { drillUser, type Settings } from "../../functions/postgresql/settings.ts";
import { locked, type PodSpec } from "./pod.ts";
import type { ClusterApp, Site } from "./site.ts";

const folder = "/server";

/**
 * A PostgreSQL drill: an empty server of production's own image beside the runner, reached by a socket in a folder that
 * only this pod has. It starts before the runner and ends with it.
 */
export function withDrillServer(_: Site, app: ClusterApp, pod: PodSpec): PodSpec {
  const { companion } = app.kubernetes;
  const server = { name: "server", mountPath: folder };
  return {
    ...pod,
    initContainers: [
      {
        name: "server",
        image: companion?.image,
        imagePullPolicy: "IfNotPresent",
        restartPolicy: "Always",
        command: ["/bin/sh", "-c", script(drillUser(app.settings as Settings))],
        startupProbe: {
          exec: { command: ["/bin/sh", "-c", `${findPrograms}; pg_isready -h ${folder}`] },
          periodSeconds: 1,
          failureThreshold: 120,
        },
        securityContext: { ...locked, readOnlyRootFilesystem: true },
        resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: companion?.memory } },
        volumeMounts: [
          server,
          // initdb wants to know its user's name, whichever image it is in.
          { name: "config", mountPath: "/etc/passwd", subPath: "passwd", readOnly: true },
          { name: "tmp", mountPath: "/tmp" },
        ],
      },
    ],
    containers: pod.containers.map((container) => ({
      ...container,
      env: [...(container.env as unknown[]), { name: "KEEPSAKE_COMPANION", value: folder }],
      volumeMounts: [...(container.volumeMounts as unknown[]), server],
    })),
    volumes: [...pod.volumes, { name: "server", emptyDir: {} }],
  };
}

/** Bitnami's and Debian's images have the programs in folders of their own. */
const findPrograms = "PATH=$PATH:/opt/bitnami/postgresql/bin:$(echo /usr/lib/postgresql/*/bin)";

/** It is thrown away in a moment, so it need not survive a power cut. No network: a socket, for this user alone. */
const script = (superuser: string) =>
  [
    "set -e",
    findPrograms,
    `initdb -D ${folder}/data -U '${superuser.replaceAll("'", "'\\''")}' --auth=trust --encoding=UTF8 --locale=C --no-sync >/dev/null`,
    `exec postgres -D ${folder}/data -c listen_addresses= -c unix_socket_directories=${folder} \\`,
    "  -c unix_socket_permissions=0700 -c fsync=off -c full_page_writes=off -c synchronous_commit=off \\",
    "  -c wal_level=minimal -c max_wal_senders=0 -c shared_buffers=32MB -c autovacuum=off -c logging_collector=off \\",
    "  -c max_parallel_maintenance_workers=0 -c max_parallel_workers_per_gather=0",
  ].join("\n");
