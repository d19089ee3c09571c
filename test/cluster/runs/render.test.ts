import { chmod, mkdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { writeSave } from "../../../deploy/local/lab/factorio/make-save.ts";
import { writeRender } from "../../../deploy/local/lab/mapshot/make-render.ts";
import { accounts } from "../../../deploy/manifests/accounts.ts";
import { configMaps } from "../../../deploy/manifests/config-maps.ts";
import { cronJobs } from "../../../deploy/manifests/cron-jobs.ts";
import { functionsAccount, siteOf } from "../../../deploy/manifests/site.ts";
import { loadAppTypes } from "../../../functions/types.ts";
import { connect } from "../../../shared/cluster/client.ts";
import { clusterRuns } from "../../../shared/cluster/cluster-runs.ts";
import { parseConfig } from "../../../shared/config.ts";
import { initNas } from "../../../shared/nas/nas.ts";
import type { RunDescription } from "../../../shared/run/description.ts";
import type { Outcome } from "../../../shared/run/report.ts";
import { silentLog, testDisk } from "../../../shared/testing.ts";
import { keepsake, keepsakeImage } from "../images/keepsake.ts";
import { joinCluster } from "../join.ts";

/*
 * A render in the three containers of its pod, of the project's own image and manifests. What the renderer makes was made
 * before, by the stand-in, and lies on the claim: its command puts it in place.
 */

const cluster = await joinCluster();
const [home, functions] = await Promise.all([cluster.namespace("render"), cluster.namespace("render-functions")]);
const [nas, saves, maps] = await Promise.all([
  home.nfsExport("nas"),
  home.localClaim("saves"),
  home.localClaim("maps"),
]);
await cluster.load(keepsake, keepsakeImage);
await initNas(nas.folder, testDisk());
await mkdir(join(saves.folder, "saves"));
for (const folder of [nas.folder, join(nas.folder, ".keepsake")]) await chmod(folder, 0o777);
const play = (tick: number) =>
  writeSave(join(saves.folder, "saves/_autosave1.zip"), "_autosave1", { seed: 7, tick, saves: 1, levelBytes: 9000 });
await mkdir(join(maps.folder, "factorio/bin/x64"), { recursive: true });
await writeFile(join(maps.folder, "factorio/bin/x64/factorio"), "");
await mkdir(join(maps.folder, "made"));
const hash = await writeRender(join(maps.folder, "made"), {});

const command = `[ ! -e /mapshot/broken ] || { echo no screen; exit 3; }; cat "$SAVE" >/mapshot/seen; echo again >>/mapshot/times; mkdir -p "$FACTORIO/script-output/mapshot/latest"; cp -r /mapshot/made/. "$FACTORIO/script-output/mapshot/latest/"; echo "Output: $FACTORIO/script-output/mapshot/latest/d-${hash}"`;
const textOf = (more: string) => `
cluster: { image: "${keepsake}", functionNamespace: ${functions.name} }
nasExport: { server: ${nas.server}, path: ${nas.path} }
apps:
  factorio: { kubernetes: { namespace: ${home.name}, claim: ${saves.claim}, secrets: {} } }
  mapshot:
    render: { command: ${JSON.stringify(command)}, graceSeconds: 1 }
    kubernetes: { namespace: ${home.name}, claim: ${maps.claim}, companion: { image: "${keepsake}" } }
${more}`;
const types = await loadAppTypes();
const site = siteOf(parseConfig(textOf(""), "/etc/keepsake/keepsake.yaml", types), textOf(""));
const items = [...accounts(site), ...configMaps(site), ...cronJobs(site, new Map())];
await home.apply(items);
// There is no registry to ask for a newer one.
const pull = "/spec/jobTemplate/spec/template/spec/initContainers/1/imagePullPolicy";
const patch = JSON.stringify([{ op: "replace", path: pull, value: "IfNotPresent" }]);
await home.kubectl("patch", "cronjob", "keepsake-mapshot-render", "--type=json", `--patch=${patch}`);

const config = parseConfig(textOf(`nas: ${nas.folder}`), "/etc/keepsake/keepsake.yaml", types);
const kubeconfig = new KubeConfig();
kubeconfig.loadFromString(await functions.kubeconfigOf(functionsAccount));
const runs = clusterRuns({ cluster: connect(kubeconfig), config, tell: async () => {}, log: silentLog });

async function backUp(app: "factorio" | "mapshot", id: string): Promise<Outcome | undefined> {
  const request: RunDescription["request"] = { operation: "backup", app, allow: [] };
  const startedAt = new Date().toISOString();
  await runs.start({ id, function: `backup-${app}`, app, request, startedBy: "test", startedAt });
  for await (const _ of runs.follow(id, { signal: AbortSignal.timeout(90_000) }));
  return (await runs.find(id))?.outcome;
}
const times = async () => (await readFile(join(maps.folder, "times"), "utf8").catch(() => "")).split("\n").length - 1;

test("a new save is rendered by another image between what prepares it and the runner, once, and published", async () => {
  await play(60);
  expect(await backUp("factorio", "save-1")).toMatchObject({ outcome: "created" });
  expect(await backUp("mapshot", "render-1")).toMatchObject({ outcome: "created", warnings: [] });
  expect(await readFile(join(maps.folder, "seen"))).toEqual(
    await readFile(join(nas.folder, "factorio/backups/latest.zip")),
  );
  expect(await readFile(join(nas.folder, "mapshot/index.html"), "utf8")).toContain(`renders/d-${hash}`);
  expect(await times()).toBe(1);
  expect(await backUp("mapshot", "render-2")).toMatchObject({ outcome: "unchanged" });
  expect(await times()).toBe(1);
});

test("a renderer that fails is told of with what it said, and what is published stays", async () => {
  await play(120);
  const later = new Date(Date.now() + 60_000);
  await utimes(join(saves.folder, "saves/_autosave1.zip"), later, later);
  expect(await backUp("factorio", "save-2")).toMatchObject({ outcome: "created" });
  await writeFile(join(maps.folder, "broken"), "");
  expect(await backUp("mapshot", "render-3")).toMatchObject({
    outcome: "failed",
    failure: { code: "tool_failed", message: expect.stringMatching(/is 3.*no screen/s) },
  });
  expect(await readFile(join(nas.folder, "mapshot/index.html"), "utf8")).toContain(`renders/d-${hash}`);
});
