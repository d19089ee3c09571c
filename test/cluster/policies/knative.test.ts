import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { command } from "../install/command.ts";
import { joinCluster } from "../join.ts";

const cluster = await joinCluster();
const home = await cluster.namespace("knative");

/** The newest that the Go module proxy has. Knative's eventing, with its sources and triggers, is not there. */
const serving = "knative.dev/serving@v0.51.0";

/** The schema of Knative's Service, as its authors publish it. */
async function schema(): Promise<string> {
  const env = { ...process.env, GO111MODULE: "on", GOFLAGS: "-mod=mod" };
  const { Dir } = JSON.parse(await command("go", ["mod", "download", "-json", serving], { env, cwd: "/" }));
  return readFile(join(Dir, "config/core/300-resources/service.yaml"), "utf8");
}

const group = "serving.knative.dev/v1";

test("the Services of deploy/knative pass strict validation by Knative's own schema", async () => {
  await cluster.kubectlWith({ stdin: await schema() }, "apply", "--server-side", "--filename=-");
  await cluster.kubectl("wait", "crd/services.serving.knative.dev", "--for=condition=established", "--timeout=60s");
  const yaml = await cluster.kubectl("kustomize", join(import.meta.dirname, "../../../deploy/knative"));
  const objects = parseAllDocuments(yaml).map((document) => document.toJS());
  const services = objects.filter(({ apiVersion }) => apiVersion === group);
  expect(services).toHaveLength(15);
  const validate = (items: object[]) => {
    const stdin = JSON.stringify({ apiVersion: "v1", kind: "List", items });
    return cluster.kubectlWith(
      { stdin },
      "apply",
      "--server-side",
      "--dry-run=server",
      "--validate=strict",
      "--filename=-",
    );
  };
  const here = (object: { metadata: object }) => ({
    ...object,
    metadata: { ...object.metadata, namespace: home.name },
  });
  // The claim and its volume are the cluster's own kinds.
  const claims = objects.filter(({ kind }) => kind === "PersistentVolumeClaim" || kind === "PersistentVolume");
  expect(claims).toHaveLength(2);
  await validate([...services, ...claims].map(here));
  const [wrong] = structuredClone(services);
  wrong.spec.template.spec.timeoutSecond = 600;
  await expect(validate([here(wrong)])).rejects.toThrow("timeoutSecond");
});
