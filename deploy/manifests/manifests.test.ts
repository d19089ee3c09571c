import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadAppTypes } from "../../functions/types.ts";
import { cronJobName } from "../../shared/cluster/names.ts";
import { parseConfig } from "../../shared/config.ts";
import { loadStackFile } from "../../shared/stack/stack-file.ts";
import { exportAnnotation } from "./function-policies.ts";
import { filesOf } from "./main.ts";
import { manifestsOf } from "./manifests.ts";
import type { NodeRules } from "./node-rules.ts";
import type { Manifest } from "./object.ts";
import { siteOf } from "./site.ts";

const project = join(import.meta.dirname, "../..");
const types = await loadAppTypes();

function manifests(text: string, nodeRules?: ReadonlyMap<string, NodeRules>): Manifest[] {
  const site = siteOf(parseConfig(text, "/etc/keepsake/keepsake.yaml", types), text);
  return [...manifestsOf(site, { functionNames: ["backup-sdtd"], ...(nodeRules && { nodeRules }) }).values()].flat();
}

// biome-ignore lint/suspicious/noExplicitAny: objects of the cluster
const find = (all: Manifest[], kind: string, name: string): any =>
  all.find((object) => object.kind === kind && object.metadata.name === name);

const podOf = (all: Manifest[], name: string) => find(all, "CronJob", name).spec.jobTemplate.spec.template.spec;

test.each(["kustomize", "knative"] as const)("deploy/%s is what deploy/keepsake.yaml makes", async (platform) => {
  const folder = join(project, "deploy", platform);
  const files = await filesOf(join(project, "deploy/keepsake.yaml"), platform);
  const made = "`make manifests` makes it anew";
  expect((await readdir(folder)).sort(), made).toEqual([...files.keys()].sort());
  for (const [name, text] of files) expect(await readFile(join(folder, name), "utf8"), made).toBe(text);
});

test("manifestsOf() has neither namespaces nor secrets: those are not for Keepsake to remove", () => {
  const kinds = new Set(manifests("cluster: {}").map(({ kind }) => kind));
  expect([...kinds].sort()).toEqual([
    ...["ConfigMap", "CronJob", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "NetworkPolicy"],
    ...["Role", "RoleBinding", "ServiceAccount", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"],
  ]);
});

test("manifestsOf() makes runs that are the data's user, and no more than they have to be", () => {
  const all = manifests("cluster: {}");
  for (const { metadata } of all.filter(({ kind }) => kind === "CronJob")) {
    const pod = podOf(all, metadata.name);
    expect(pod.securityContext.runAsNonRoot).toBe(pod.securityContext.runAsUser !== 0);
    for (const { securityContext, resources } of [...(pod.initContainers ?? []), ...pod.containers]) {
      expect(securityContext).toMatchObject({ allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } });
      expect(resources.limits.memory).toMatch(/^\d/);
    }
  }
  expect(podOf(all, "keepsake-factorio").securityContext).toMatchObject({ runAsUser: 845, runAsGroup: 845 });
});

test("manifestsOf() has a run where its workload is: by what was found, else by what the settings say", () => {
  const gpu = { "nvidia.com/gpu.present": "true" };
  const bySettings = podOf(manifests("cluster: {}"), "keepsake-ollama");
  expect(bySettings.nodeSelector).toEqual(gpu);
  expect(bySettings.tolerations).toEqual([expect.objectContaining({ key: "dedicated", value: "gpu" })]);
  const found = { nodeSelector: { disk: "fast" }, affinity: { nodeAffinity: {} }, tolerations: [{ key: "x" }] };
  expect(podOf(manifests("cluster: {}", new Map([["ollama", found]])), "keepsake-ollama")).toMatchObject(found);
  expect(podOf(manifests("cluster: {}", new Map([["ollama", {}]])), "keepsake-ollama")).not.toHaveProperty(
    "tolerations",
  );
});

test("manifestsOf() has what the settings say of claim, place, secrets and image, for a second app too", () => {
  const all = manifests(`
cluster: { image: example.org/keepsake:2 }
nasExport: { server: nas, path: /data }
apps:
  factorio: {}
  factorio-two:
    type: factorio
    kubernetes: { claim: other, claimSubPath: deep/er, mountPath: /factorio, secrets: { factorio-rcon: two/password } }
`);
  const { containers, volumes } = podOf(all, "keepsake-factorio-two");
  expect(containers[0]).toMatchObject({
    image: "example.org/keepsake:2",
    volumeMounts: expect.arrayContaining([{ name: "data", mountPath: "/factorio", subPath: "deep/er" }]),
  });
  expect(volumes).toEqual(
    expect.arrayContaining([
      { name: "data", persistentVolumeClaim: { claimName: "other" } },
      { name: "export", nfs: { server: "nas", path: "/data" } },
    ]),
  );
  const { projected } = volumes.find(({ name }: { name: string }) => name === "secrets");
  expect(projected.sources).toEqual([
    { secret: { name: "keepsake", optional: true } },
    { secret: { name: "two", items: [{ key: "password", path: "factorio-rcon" }] } },
  ]);
  expect(all.filter(({ kind }) => kind === "ServiceAccount")).toHaveLength(2);
});

test("siteOf() wants the settings of a cluster", () => {
  expect(() => manifests("")).toThrow(
    'Cannot make manifests of "/etc/keepsake/keepsake.yaml": the settings of a cluster',
  );
});

test("stack.yml asks for the export for the functions of apps, and for them alone", async () => {
  const stack = await loadStackFile(join(project, "stack.yml"), {});
  const asking = stack.filter(({ annotations }) => annotations?.[exportAnnotation] === "read-only");
  const others = stack.filter((fn) => !asking.includes(fn));
  expect(others.map(({ service, annotations }) => [service, annotations?.[exportAnnotation]])).toEqual([
    ["notify", undefined],
    ["status", undefined],
  ]);
});

test("manifestsOf() has a CronJob for each shape that a run can have", () => {
  const all = manifests("cluster: {}\napps: { mapshot: { render: { command: x } }, postgresql: {} }");
  const { apps } = parseConfig(
    "cluster: {}\napps: { mapshot: { render: { command: x } }, postgresql: {} }",
    "/k.yaml",
    types,
  );
  for (const { name, type, settings } of apps) {
    for (const operation of ["backup", "restore", "drill", "scrub"] as const) {
      const cronJob = cronJobName(name, type.jobShape?.(operation, settings));
      expect([cronJob, find(all, "CronJob", cronJob)]).toEqual([cronJob, expect.anything()]);
    }
  }
  expect(podOf(all, "keepsake-mapshot-render").initContainers.map(({ name }: { name: string }) => name)).toEqual([
    "prepare",
    "renderer",
  ]);
});
