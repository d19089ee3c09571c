import { chmod, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll } from "vitest";
import { initNas } from "../../../shared/nas/nas.ts";
import { type Deployment, loadStackFile } from "../../../shared/stack/stack-file.ts";
import { testDisk } from "../../../shared/testing.ts";
import type { Cluster } from "../cluster.ts";
import { keepsake, keepsakeImage } from "../images/keepsake.ts";
import type { Namespace } from "../namespace.ts";
import type { Passage } from "../passage.ts";
import { type Api, apiOf } from "../policies/api.ts";
import { applyKeepsake } from "../policies/apply.ts";
import type { Export } from "../volumes.ts";
import type { ClusterApp } from "./apps/app.ts";
import { deploy } from "./faas-netes.ts";
import { type ClusterGateway, gatewayOf } from "./gateway.ts";

/** Keepsake on a cluster, whole: what ships is applied, and the functions of stack.yml run behind their gateway. */
export interface Lab {
  readonly stack: readonly Deployment[];
  readonly functions: Namespace;
  readonly nas: Export;
  readonly admin: Api;
  readonly passage: Passage;
  readonly gateway: ClusterGateway;
  /** What restores want. */
  readonly token: string;
}

const token = "a-token-that-nobody-guesses";

/** Opens it, for as long as the test file takes. Where an app is, its settings say. */
export async function openLab(cluster: Cluster, apps: readonly ClusterApp[]): Promise<Lab> {
  await cluster.load(keepsake, keepsakeImage);
  const [functions, openfaas] = await Promise.all([cluster.namespace("functions"), cluster.namespace("openfaas")]);
  const nas = await functions.nfsExport("nas");
  await initNas(nas.folder, testDisk());
  // Each app's runs are a user of their own.
  for (const folder of [nas.folder, join(nas.folder, ".keepsake")]) await chmod(folder, 0o777);
  const stack = await loadStackFile(join(import.meta.dirname, "../../../stack.yml"), { KEEPSAKE_IMAGE: keepsake });
  const text = JSON.stringify({
    cluster: {
      ...{ image: keepsake, functionNamespace: functions.name },
      ...{ openfaasNamespace: openfaas.name, natsNamespace: openfaas.name },
    },
    nasExport: { server: nas.server, path: nas.path },
    apps: Object.fromEntries(apps.map(({ name, settings }) => [name, settings])),
  });
  const [{ home } = { home: functions }] = apps;
  const functionNames = stack.map(({ service }) => service);
  await applyKeepsake(cluster, text, { functions, app: home, functionNames });
  const admin = apiOf(await readFile(cluster.kubeconfig, "utf8"));
  await functions.apply(
    secretsOf({
      "keepsake-config": text,
      "keepsake-token": token,
      "nats-url": "",
      "telegram-bot-token": "",
      "telegram-chat-id": "",
    }),
  );
  await Promise.all(stack.map((fn) => deploy(admin, functions.name, fn)));
  await functions.until("deployments --all", "condition=Available", 90_000);

  const passage = await cluster.passage();
  const gateway = await gatewayOf(passage, { functions, openfaas, password: token });
  afterAll(async () => {
    await gateway.stop(0);
    await passage.close();
  });
  return { stack, functions, nas, admin, passage, gateway, token };
}

/** Each a secret with one key of its own name, as `faas-cli secret create` makes them. */
const secretsOf = (values: Record<string, string>) =>
  Object.entries(values).map(([name, value]) => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name },
    stringData: { [name]: value },
  }));
