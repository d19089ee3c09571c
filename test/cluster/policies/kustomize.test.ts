import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { joinCluster } from "../join.ts";

const cluster = await joinCluster();
const home = await cluster.namespace("kustomize");
const project = join(import.meta.dirname, "../../..");

/** As the API server takes it, field by field; nothing is made. The asker's namespaces need not be there. */
async function validate(yaml: string): Promise<string[]> {
  const stdin = yaml.replaceAll(/^( +namespace: ).*$/gm, `$1${home.name}`);
  const apply = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts", "-o=name"];
  return (await cluster.kubectlWith({ stdin }, ...apply, "--filename=-")).trim().split("\n");
}

test("kubectl apply -k deploy/kustomize passes strict validation on the server, policies before accounts", async () => {
  const yaml = await cluster.kubectl("kustomize", join(project, "deploy/kustomize"));
  const applied = await validate(yaml);
  expect(applied).toContain("cronjob.batch/keepsake-mapshot-render");
  const kinds = [...yaml.matchAll(/^kind: (.*)$/gm)].map(([, kind]) => kind);
  expect(kinds).toHaveLength(applied.length);
  expect(kinds.lastIndexOf("ValidatingAdmissionPolicyBinding")).toBeLessThan(kinds.indexOf("ServiceAccount"));
  await expect(validate(yaml.replace("suspend: true", "suspended: true"))).rejects.toThrow(/unknown field|suspended/);
});

test("the shapes of the secrets pass it, too, and hold nothing", async () => {
  const folder = join(project, "deploy/secrets");
  for (const name of await readdir(folder)) {
    const yaml = await readFile(join(folder, name), "utf8");
    expect(await validate(yaml)).toContain(`secret/${name === "apps.yaml" ? "keepsake" : "keepsake-token"}`);
    for (const [, value] of yaml.matchAll(/^stringData:\n {2}\S+: (.*)$/gm)) expect(value).toBe('""');
  }
});
