import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { readSite } from "../../../deploy/cluster/doctor.ts";
import { manifestsOf } from "../../../deploy/manifests/manifests.ts";
import { layFactorio } from "../functions/apps/factorio.ts";
import { busybox } from "../images/busybox.ts";
import { keepsake, keepsakeImage } from "../images/keepsake.ts";
import { joinCluster } from "../join.ts";
import { remove } from "../objects.ts";
import { keepWatching } from "../policies/apply.ts";
import { openFaas } from "./openfaas.ts";

/* `make deploy` and `make undeploy` as their user has them: commands in a folder, with a faas-cli on the PATH. */

const root = join(import.meta.dirname, "../../..");
const cluster = await joinCluster();
const passage = await cluster.passage();
await keepWatching(cluster);
await cluster.load(keepsake, keepsakeImage);
const [factorio, functions, openfaas] = await Promise.all([
  layFactorio(cluster),
  cluster.namespace("functions"),
  cluster.namespace("openfaas"),
]);
const nas = await functions.nfsExport("nas");
const faas = await openFaas(cluster, passage, { functions, openfaas, topics: "backups.completed" });
afterAll(async () => {
  // What belongs to no namespace goes with none; others of it are of other files.
  const ofCluster = [...manifestsOf(await readSite(config), { functionNames: names }).values()]
    .flat()
    .filter(({ metadata }) => !metadata.namespace);
  await remove(cluster.api, ofCluster);
  await passage.close();
  await rm(folder, { recursive: true });
});

/** The user's own folder: a stack with the functions of one app, the settings, a home, the programs on the PATH. */
const folder = await mkdtemp(join(tmpdir(), "keepsake-"));
const [home, bin, config] = [join(folder, "home"), join(folder, "bin"), join(folder, "keepsake.yaml")];
const names = ["backup-factorio", "restore-factorio", "notify", "status"];
const stack = parse(await readFile(join(root, "stack.yml"), "utf8"));
const own = Object.fromEntries(names.map((name) => [name, stack.functions[name]]));
await writeFile(join(folder, "stack.yml"), stringify({ ...stack, functions: own }));
const where = { functionNamespace: functions.name, openfaasNamespace: openfaas.name, natsNamespace: openfaas.name };
const settings = {
  cluster: { image: keepsake, ...where },
  nasExport: { server: nas.server, path: nas.path },
  nasTimeoutSeconds: 60,
  apps: { factorio: factorio.settings },
};
await writeFile(config, stringify(settings));
await mkdir(home);
await mkdir(bin);
const program = `#!/bin/sh\nexec ${process.execPath} ${join(import.meta.dirname, "faas-cli-process.ts")} "$@"\n`;
await writeFile(join(bin, "faas-cli"), program, { mode: 0o755 });

/** What make would run for a target. */
async function recipe(target: string): Promise<string> {
  const makefile = await readFile(join(root, "Makefile"), "utf8");
  const of = (pattern: RegExp) => pattern.exec(makefile)?.[1] ?? "";
  const cli = of(/^CLI = (.+)$/m).replace("$(NODE)", of(/^NODE = (.+)$/m));
  return of(new RegExp(`^${target}:.*\\n\\t@exec (.+)$`, "m")).replace("$(CLI)", cli);
}

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** `make <target> CONFIG=… GATEWAY=… YES=1`, but for the set-up. */
async function make(target: string, env: Record<string, string> = {}): Promise<Ended> {
  const command = await recipe(target);
  const all = {
    ...{ PATH: `${bin}:${process.env.PATH}`, HOME: home, KUBECONFIG: cluster.kubeconfig, KEEPSAKE_CLONE: folder },
    ...{ CONFIG: config, GATEWAY: faas.url, YES: "1" },
    ...env,
  };
  return new Promise((resolve) => {
    execFile("sh", ["-c", command], { cwd: root, env: all }, (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });
}

/** All that is on the NAS but what Keepsake remembers for itself. */
async function onNas(): Promise<string[]> {
  const all = await readdir(nas.folder, { recursive: true });
  const seen = all.filter((path) => !path.startsWith(".keepsake")).sort();
  return Promise.all(seen.map(async (path) => `${path} ${(await stat(join(nas.folder, path))).mtimeMs}`));
}

await mkdir(join(nas.folder, "factorio/backups"), { recursive: true });
await writeFile(join(nas.folder, "factorio/backups/latest.zip"), "what the incumbent has left");
const withExport = {
  ...{ restartPolicy: "Never", schedulerName: "nobody", containers: [{ name: "main", image: busybox }] },
  volumes: [{ name: "nas", nfs: { server: nas.server, path: nas.path } }],
};
const jobTemplate = { spec: { template: { spec: withExport } } };
await factorio.home.apply({
  apiVersion: "batch/v1",
  kind: "CronJob",
  metadata: { name: "factorio-backup" },
  spec: { schedule: "0 0 1 1 *", jobTemplate },
});
const secrets = ["nats-url", "telegram-bot-token", "telegram-chat-id"];
const secret = { apiVersion: "v1", kind: "Secret" };
await functions.apply(secrets.map((name) => ({ ...secret, metadata: { name }, stringData: { [name]: "" } })));

const canary = /ok +factorio: canary run: a run that changes nothing went to its end/;

test("make deploy refuses while a job of the incumbent is at work, and has changed nothing", async () => {
  await factorio.home.kubectl("create", "job", "copying", "--from=cronjob/factorio-backup");
  const { code, err } = await make("deploy");
  expect(err).toMatch(/ok +Kubernetes: .*\n.*ok +clock: /);
  expect(err).toContain(`Cannot deploy: ${factorio.home.name}/copying is at work, and writes to the NAS`);
  expect(code).toBe(1);
  expect(faas.asked).toEqual([]);
  expect(await readdir(nas.folder)).toEqual(["factorio"]);
  await factorio.home.delete("Job", "copying", { propagation: "Foreground" });
});

test("make deploy brings all of it, and proves that functions, connectors and runs work", async () => {
  const before = [await onNas(), await factorio.content()];
  const { code, out, err } = await make("deploy");
  expect(err).toContain(`Suspended ${factorio.home.name}/factorio-backup. To undo it: kubectl patch cronjob`);
  expect(err).toContain(`Marked ${nas.server}:${nas.path}`);
  expect(err).toMatch(/ok +factorio: claim: .* is bound\n/);
  expect(faas.asked).toEqual(
    names.flatMap((name) => ["PUT", "POST"].map((how) => `${how} ${name} in ${functions.name}`)),
  );
  expect(out).toMatch(/ok +functions: all 4 are up\n/);
  expect(out).toMatch(/ok +cron-connector: .* has taken up what has a schedule\n/);
  expect(out).toMatch(/ok +backup-factorio: 1 app, the NAS answers\n/);
  expect(out).toMatch(/ok +token: accepted\n/);
  expect(out).toMatch(canary);
  expect(out).toMatch(/All is well\.\n$/);
  expect(code).toBe(0);
  expect([await onNas(), await factorio.content()]).toEqual(before);
  await factorio.expectBack();
});

test("make deploy applies nothing a second time, and proves it again", async () => {
  faas.asked.length = 0;
  const { code, out, err } = await make("deploy");
  expect(err).toMatch(/All \d+ objects are as the settings have them\n/);
  expect(err).not.toMatch(/Suspended|Marked|Applied/);
  expect(faas.asked).toEqual(names.map((name) => `PUT ${name} in ${functions.name}`));
  expect(out).toMatch(canary);
  expect(code).toBe(0);
});

test("make deploy without faas-cli and gateway says what was not checked, and the lines to type", async () => {
  const { code, out, err } = await make("deploy", { PATH: "/usr/bin:/bin", GATEWAY: "http://127.0.0.1:9" });
  expect(err).toContain("The functions are left as they are: faas-cli is not on the PATH. Type: KEEPSAKE_IMAGE=");
  expect(out).toMatch(/PROBLEM +gateway: Cannot reach the gateway "http:\/\/127.0.0.1:9"/);
  expect(out).toContain(`make deploy CONFIG=${config} GATEWAY=http://127.0.0.1:31112`);
  expect(out).toMatch(/1 to look at\.\n$/);
  expect(code).toBe(1);
});

test("make undeploy takes it away, twice, and leaves the NAS and the app", async () => {
  const before = [await onNas(), await readdir(join(nas.folder, ".keepsake"), { recursive: true })];
  faas.asked.length = 0;
  const first = await make("undeploy");
  expect(first).toMatchObject({ code: 0, out: expect.stringContaining("Removed. What is on the NAS stays") });
  expect(faas.asked).toEqual(names.map((name) => `DELETE ${name}`));
  expect(await factorio.home.list("CronJob")).toMatchObject([{ metadata: { name: "factorio-backup" } }]);
  expect(await functions.list("Deployment")).toEqual([]);
  const second = await make("undeploy");
  expect(second).toMatchObject({ code: 0, err: expect.stringContaining("Nothing of Keepsake is there to remove") });
  expect([await onNas(), await readdir(join(nas.folder, ".keepsake"), { recursive: true })]).toEqual(before);
  await factorio.expectBack();
});
