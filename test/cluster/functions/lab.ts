import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { afterAll } from "vitest";
import { initNas } from "../../../shared/nas/nas.ts";
import { type Deployment, loadStackFile } from "../../../shared/stack/stack-file.ts";
import { testDisk } from "../../../shared/testing.ts";
import type { Api } from "../api.ts";
import type { Cluster } from "../cluster.ts";
import { keepsake, keepsakeImage } from "../images/keepsake.ts";
import type { Namespace } from "../namespace.ts";
import { has } from "../objects.ts";
import type { Passage } from "../passage.ts";
import { applyKeepsake } from "../policies/apply.ts";
import type { Export } from "../volumes.ts";
import type { ClusterApp } from "./apps/app.ts";
import { deploy } from "./faas-netes.ts";
import { type ClusterGateway, gatewayOf } from "./gateway.ts";
import { type ClusterNats, startNats } from "./servers/nats.ts";
import { type ClusterTelegram, startTelegram } from "./servers/telegram.ts";

/** Keepsake on a cluster, whole: what ships is applied, and the functions of stack.yml run behind their gateway. */
export interface Lab {
  readonly stack: readonly Deployment[];
  readonly functions: Namespace;
  readonly nas: Export;
  readonly admin: Api;
  readonly nats: ClusterNats;
  readonly telegram: ClusterTelegram;
  readonly gateway: ClusterGateway;
  /** What restores want. */
  readonly token: string;
}

const token = "a-token-that-nobody-guesses";

/** Opens it, for as long as the test file takes. Where an app is, its settings say. */
export async function openLab(cluster: Cluster, passage: Passage, apps: readonly ClusterApp[]): Promise<Lab> {
  await cluster.load(keepsake, keepsakeImage);
  const [functions, openfaas, nats, telegram] = await Promise.all([
    cluster.namespace("functions"),
    cluster.namespace("openfaas"),
    startNats(cluster, passage),
    startTelegram(passage),
  ]);
  const nas = await functions.nfsExport("nas");
  await initNas(nas.folder, testDisk());
  // The runs of each app are a user of their own.
  for (const folder of [nas.folder, join(nas.folder, ".keepsake")]) await chmod(folder, 0o777);
  const text = JSON.stringify({
    cluster: {
      ...{ image: keepsake, functionNamespace: functions.name },
      ...{ openfaasNamespace: openfaas.name, natsNamespace: nats.home.name },
    },
    nasExport: { server: nas.server, path: nas.path },
    nasTimeoutSeconds: 60,
    notify: { telegram: { apiBase: telegram.apiBase } },
    apps: Object.fromEntries(apps.map(({ name, settings }) => [name, settings])),
  });
  const stack = await loadStackFile(join(import.meta.dirname, "../../../stack.yml"), { KEEPSAKE_IMAGE: keepsake });
  const functionNames = stack.map(({ service }) => service);
  const [{ home } = { home: functions }] = apps;
  await applyKeepsake(cluster, text, { functions, app: home, functionNames });
  for (const app of apps) await app.home.apply(secret("keepsake", { "nats-url": nats.url }));
  for (const app of apps) await app.adapt?.();
  // Each with one key of its own name, as `faas-cli secret create` makes them.
  const secrets = {
    ...{ "keepsake-config": text, "keepsake-token": token, "nats-url": nats.url },
    ...{ "telegram-bot-token": telegram.api.token, "telegram-chat-id": telegram.chat },
  };
  await functions.apply(Object.entries(secrets).map(([name, value]) => secret(name, { [name]: value })));

  const admin = cluster.api;
  await Promise.all(stack.map((fn) => deploy(admin, functions.name, fn)));
  for (const { service } of stack) await functions.until("Deployment", service, has("Available"), 90_000);
  const gateway = await gatewayOf(passage, { functions, openfaas, password: token });
  afterAll(async () => {
    await gateway.stop(0);
    await telegram.close();
    await passage.close();
  });
  return { stack, functions, nas, admin, nats, telegram, gateway, token };
}

const secret = (name: string, stringData: Record<string, string>) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name },
  stringData,
});
