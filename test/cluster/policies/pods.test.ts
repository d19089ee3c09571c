import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { V1PodSpec } from "@kubernetes/client-node";
import { test } from "vitest";
import { configMaps } from "../../../deploy/manifests/config-maps.ts";
import { cronJobs } from "../../../deploy/manifests/cron-jobs.ts";
import { siteOf } from "../../../deploy/manifests/site.ts";
import { loadAppTypes } from "../../../functions/types.ts";
import { cronJobName } from "../../../shared/cluster/names.ts";
import { parseConfig } from "../../../shared/config.ts";
import { busybox } from "../images/busybox.ts";
import { servers, serversImage } from "../images/servers.ts";
import { joinCluster } from "../join.ts";

const cluster = await joinCluster();
const home = await cluster.namespace("pods");
const nas = await home.nfsExport("nas");
const saves = await home.localClaim("saves");
const text = `
cluster: {}
nasExport: { server: ${nas.server}, path: ${nas.path} }
apps:
  sdtd: { kubernetes: { namespace: ${home.name}, claim: ${saves.claim} } }
  postgresql: { kubernetes: { namespace: ${home.name}, companion: { image: "${servers}" } } }
`;
const site = siteOf(parseConfig(text, "/etc/keepsake/keepsake.yaml", await loadAppTypes()), text);
await home.apply([
  ...configMaps(site),
  { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "keepsake-runner" } },
  { apiVersion: "v1", kind: "Secret", metadata: { name: "sdtd-telnet" }, stringData: { password: "s3cret" } },
  { apiVersion: "v1", kind: "Secret", metadata: { name: "postgresql" }, stringData: { "postgres-password": "x" } },
]);

/** Runs the pod of a CronJob with a line for a shell in the runner's place. */
async function runAs(app: string, shape: string | undefined, image: string, line: string) {
  const found = cronJobs(site, new Map()).find(({ metadata }) => metadata.name === cronJobName(app, shape));
  const { spec } = found as unknown as { spec: { jobTemplate: { spec: { template: { spec: V1PodSpec } } } } };
  const { containers, ...pod } = spec.jobTemplate.spec.template.spec;
  const runner = { ...containers[0], image, command: ["sh", "-c", line] };
  return home.runJob(`${app}-${shape ?? "run"}`, runner, { ...pod, terminationGracePeriodSeconds: 1 });
}

test.concurrent("a run is the data's user, and has claim, export, settings and secrets where it looks for them", async ({
  expect,
}) => {
  await writeFile(join(saves.folder, "world"), "seed");
  await chmod(nas.folder, 0o777);
  const { log, succeeded } = await runAs(
    "sdtd",
    undefined,
    busybox,
    `id -u; cat /app/7-days-to-die/world; echo; cat /var/openfaas/secrets/sdtd-telnet; echo
     grep -c sdtd $KEEPSAKE_CONFIG; echo $POD_NAMESPACE; echo saved > /mnt/k3s-nfs/written
     touch /tmp/x /var/lib/keepsake/x; touch /x 2>&1; touch /etc/keepsake/x 2>&1; true`,
  );
  expect(log.trim().split("\n")).toEqual([
    ...["1000", "seed", "s3cret", "1", home.name],
    "touch: /x: Read-only file system",
    "touch: /etc/keepsake/x: Read-only file system",
  ]);
  expect(succeeded).toBe(true);
});

test.concurrent("a drill has an empty server of the companion's image beside it, by a socket alone", async ({
  expect,
}) => {
  await cluster.load(servers, serversImage);
  const { log, succeeded } = await runAs(
    "postgresql",
    "drill",
    servers,
    `psql -h $KEEPSAKE_COMPANION -U keepsake_drill -d postgres -Atc 'SELECT usename, usesuper FROM pg_user'
     psql -h 127.0.0.1 -U keepsake_drill -d postgres -c 'SELECT 1' >/dev/null 2>&1 || echo no network; id -u`,
  );
  expect(log.trim().split("\n")).toEqual(["keepsake_drill|t", "no network", "1000"]);
  expect(succeeded).toBe(true);
});
