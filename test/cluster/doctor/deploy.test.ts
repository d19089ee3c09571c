import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compareApplied } from "../../../deploy/cluster/applied.ts";
import { deploy } from "../../../deploy/cluster/deploy.ts";
import { undeploy } from "../../../deploy/cluster/undeploy.ts";
import { manifestsOf } from "../../../deploy/manifests/manifests.ts";
import { siteOf } from "../../../deploy/manifests/site.ts";
import { loadAppTypes } from "../../../functions/types.ts";
import { connect } from "../../../shared/cluster/client.ts";
import { parseConfig } from "../../../shared/config.ts";
import { tempFolder } from "../../../shared/testing.ts";
import { busybox } from "../images/busybox.ts";
import { joinCluster } from "../join.ts";
import { keepWatching } from "../policies/apply.ts";

const cluster = await joinCluster();
const [functions, games] = await Promise.all(["functions", "games"].map((name) => cluster.namespace(name)));
if (!functions || !games) throw new Error("two namespaces are wanted");
await keepWatching(cluster);
const api = connect(cluster.config());
const functionNames = ["backup-sdtd", "restore-sdtd"];
const text = `
cluster: { functionNamespace: ${functions.name}, openfaasNamespace: ${functions.name}, natsNamespace: ${functions.name} }
apps: { sdtd: { kubernetes: { namespace: ${games.name} } } }
`;
const site = siteOf(parseConfig(text, "/etc/keepsake/keepsake.yaml", await loadAppTypes()), text);

/** One command, with what it said and what it asked. */
async function run(work: typeof deploy, tokenPath: string, answer = true) {
  const said: string[] = [];
  const asked: string[] = [];
  const done = await work({
    ...{ cluster: api, site, functionNames, tokenPath },
    say: (line) => void said.push(line),
    confirm: async (question) => {
      asked.push(question);
      return answer;
    },
  });
  return { done, said: said.join("\n"), asked };
}

const job = (name: string, suspend: boolean) => ({
  apiVersion: "batch/v1",
  kind: "CronJob",
  metadata: { name },
  spec: {
    schedule: "0 0 1 1 *",
    suspend,
    jobTemplate: {
      spec: {
        template: {
          spec: {
            restartPolicy: "Never",
            containers: [{ name: "main", image: busybox }],
            volumes: [{ name: "nas", hostPath: { path: "/mnt/k3s-nfs/sdtd" } }],
          },
        },
      },
    },
  },
});

test("deploy() suspends the incumbent's jobs when told to, applies everything once, and undeploy() takes it away", async () => {
  const tokenPath = join(await tempFolder(), "config/token");
  await games.apply([job("backup", false), job("asleep", true)]);
  const refused = await run(deploy, tokenPath, false);
  expect(refused).toMatchObject({ done: false, asked: ["Suspend them?"] });
  expect(refused.said).toContain(`${games.name}/backup`);
  expect(refused.said).not.toContain("asleep");

  const first = await run(deploy, tokenPath);
  expect(first.done).toBe(true);
  expect(first.asked).toEqual(["Suspend them?", expect.stringMatching(/^Apply \d+ objects\?$/)]);
  expect(first.said).toContain(
    `To undo it: kubectl patch cronjob backup -n ${games.name} --type=merge --patch='{"spec":{"suspend":false}}'`,
  );
  expect(await games.kubectl("get", "cronjob", "backup", "-o", "jsonpath={.spec.suspend}")).toBe("true");
  const token = (await readFile(tokenPath, "utf8")).trim();
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  expect((await stat(tokenPath)).mode & 0o777).toBe(0o600);
  const secret = (name: string) =>
    functions
      .kubectl("get", "secret", name, "-o", `jsonpath={.data.${name}}`)
      .then((base64) => Buffer.from(base64, "base64").toString());
  expect(await secret("keepsake-token")).toBe(token);
  expect(await secret("keepsake-config")).toBe(text);
  const all = [...manifestsOf(site, { functionNames }).values()].flat();
  expect((await compareApplied(api, all)).filter(({ state }) => state !== "same")).toEqual([]);

  const second = await run(deploy, tokenPath);
  expect(second).toMatchObject({ done: true, asked: [] });
  expect(second.said).toMatch(/All \d+ objects are as the settings have them/);

  const gone = await run(undeploy, tokenPath);
  expect(gone.done).toBe(true);
  const left = (await compareApplied(api, all)).filter(({ state }) => state !== "missing");
  expect(left.every(({ manifest }) => manifest.metadata.name.includes("jobs-alike"))).toBe(true);
  expect(await secret("keepsake-token")).toBe(token);
  expect((await run(undeploy, tokenPath)).said).toContain("Nothing of Keepsake is there to remove");
  await cluster.kubectl("delete", ...left.map(({ manifest }) => `${manifest.kind}/${manifest.metadata.name}`));
});

test("deploy() refuses while a job of another system is at work, and where a namespace is missing", async () => {
  const tokenPath = join(await tempFolder(), "token");
  await games.kubectl("create", "job", "copying", "--from=cronjob/asleep");
  await expect(run(deploy, tokenPath)).rejects.toMatchObject({
    code: "target_invalid",
    message: expect.stringContaining(`${games.name}/copying is at work`),
  });
  const other = text.replaceAll(games.name, "nowhere-at-all");
  const elsewhere = siteOf(parseConfig(other, "/etc/keepsake/keepsake.yaml", await loadAppTypes()), other);
  const nobody = { say: () => {}, confirm: async () => true };
  await expect(deploy({ ...nobody, cluster: api, site: elsewhere, functionNames, tokenPath })).rejects.toMatchObject({
    message: expect.stringContaining("nowhere-at-all are not there"),
  });
});
