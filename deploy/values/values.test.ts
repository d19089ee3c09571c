import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { expect, onTestFinished, test, vi } from "vitest";
import { parse } from "yaml";
import { declareStream } from "../../events/nats/stream.ts";
import { ClusterSettings } from "../../shared/cluster/settings.ts";
import { loadStackFile } from "../../shared/stack/stack-file.ts";
import { tempFolder } from "../../shared/testing.ts";
import { freePort } from "../local/lab/free-port.ts";
import { findNatsServer } from "../local/lab/nats/find-nats-server.ts";

const values = async (name: string) => parse(await readFile(join(import.meta.dirname, `${name}.yaml`), "utf8"));
const stack = await loadStackFile(join(import.meta.dirname, "../../stack.yml"), {});
const openfaas = await values("openfaas");
const nats = await values("nats");
const natsConnector = await values("nats-connector");
const cluster = ClusterSettings.parse({});
const topics = [...new Set(stack.flatMap(({ annotations }) => annotations?.topic ?? []))].filter(
  (topic) => topic !== "cron-function",
);

test("the connectors ask the gateway for the functions of stack.yml, by every topic that they have", async () => {
  expect(natsConnector.topics.split(natsConnector.topic_delimiter).sort()).toEqual(topics.sort());
  const gateway = `http://gateway.${cluster.openfaasNamespace}:8080`;
  expect(natsConnector.gateway_url).toBe(gateway);
  expect((await values("cron-connector")).gatewayURL).toBe(gateway);
  expect(openfaas.functionNamespace).toBe(cluster.functionNamespace);
  const site = parse(await readFile(join(import.meta.dirname, "../keepsake.yaml"), "utf8"));
  expect(new URL(site.nats).hostname).toBe(natsConnector.broker_host);
  expect(natsConnector.broker_host).toContain(`.${cluster.natsNamespace}.svc`);
});

test("nobody on the way of a call gives up before the function does", () => {
  const seconds = (text: string) => Number(/^(\d+)s$/.exec(text)?.[1]);
  const { upstreamTimeout, readTimeout, writeTimeout } = openfaas.gateway;
  for (const { envVars } of stack)
    for (const name of ["exec_timeout", "read_timeout", "write_timeout"])
      expect(seconds(envVars?.[name] ?? "")).toBeLessThanOrEqual(seconds(upstreamTimeout));
  for (const timeout of [readTimeout, writeTimeout]) expect(seconds(timeout)).toBeGreaterThan(seconds(upstreamTimeout));
  expect(seconds(natsConnector.upstream_timeout)).toBeGreaterThanOrEqual(seconds(upstreamTimeout));
});

/** The configuration as the chart makes it of its values: JSON, but what stands in << >> goes without quotes. */
const configuration = (port: number, folder: string) => {
  // `sync_interval` came with NATS 2.10, which the chart has; what tests find installed may be older.
  const jetstream = { store_dir: folder };
  const json = JSON.stringify({ host: "127.0.0.1", port, jetstream, ...nats.config.merge });
  return json.replaceAll(/"<<\s*(.*?)\s*>>"/g, "$1");
};

test("NATS takes Keepsake's user, who keeps events, and the connector's, who may only listen", async () => {
  const folder = await tempFolder();
  const port = await freePort();
  await writeFile(join(folder, "nats.conf"), configuration(port, folder));
  const passwords = Object.fromEntries(Object.keys(nats.container.env).map((name) => [name, `secret-${name}`]));
  const server = spawn(await findNatsServer(), ["-c", join(folder, "nats.conf")], { env: passwords, stdio: "ignore" });
  const ended = once(server, "exit");
  onTestFinished(async () => {
    server.kill("SIGKILL");
    await ended;
  });
  const as = async (user: string, pass: string | undefined) => {
    const connection = await connect({ servers: `127.0.0.1:${port}`, user, ...(pass && { pass }), reconnect: false });
    onTestFinished(() => connection.close());
    return connection;
  };
  const keepsake = await vi.waitFor(() => as("keepsake", passwords.KEEPSAKE_PASSWORD), { timeout: 20_000 });
  await expect(as("keepsake", "another")).rejects.toThrow(/authorization/i);

  const { jetstreamManager } = await import("@nats-io/jetstream");
  await declareStream({ manager: await jetstreamManager(keepsake) });
  const connector = await as("connector", passwords.CONNECTOR_PASSWORD);
  const heard = new Promise((resolve) => {
    for (const subject of topics)
      connector.subscribe(subject, { queue: "connector", callback: (_, { subject }) => resolve(subject) });
  });
  await connector.flush();
  keepsake.publish("backups.completed", "{}");
  expect(await heard).toBe("backups.completed");
  const refused = (async () => {
    for await (const status of connector.status()) if (status.type === "error") return String(status.error);
  })();
  connector.publish("backups.completed", "{}");
  expect(await refused).toMatch(/permissions violation for publish/i);
});
