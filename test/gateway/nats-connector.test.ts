import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { expect, onTestFinished, test, vi } from "vitest";
import { startNatsConnector } from "../../deploy/local/gateway/nats-connector.ts";
import { freePort } from "../../deploy/local/lab/free-port.ts";
import { startNatsServer } from "../../deploy/local/lab/nats/server.ts";
import { silentLog, tempFolder } from "../../shared/testing.ts";
import { ownNats } from "../events/testing.ts";
import { startGateway } from "./start-gateway.ts";

/* By the rules of openfaas/nats-connector 0.3. */

type Heard = { name: string; headers: Record<string, string>; body: string };

/** Functions on these topics, behind a gateway that a connector calls. */
async function lab(topics: Record<string, string>, answer: (name: string) => Promise<Response> | Response) {
  const nats = await ownNats();
  const heard: Heard[] = [];
  const functions = Object.fromEntries(
    Object.keys(topics).map((name) => [
      name,
      async (request: Request) => {
        heard.push({ name, headers: Object.fromEntries(request.headers), body: await request.text() });
        return answer(name);
      },
    ]),
  );
  const { url, gateway } = await startGateway(functions, {
    stack: Object.entries(topics).map(([service, topic]) => ({ service, image: "i", annotations: { topic } })),
  });
  const connector = startNatsConnector({
    natsUrl: nats.url,
    gatewayUrl: url,
    functions: gateway.deployments.list,
    log: silentLog,
    rebuildMs: 50,
  });
  onTestFinished(connector.stop);
  const sender = await connect({ servers: nats.url });
  onTestFinished(() => sender.close());
  const listening = (...wanted: string[]) =>
    vi.waitFor(() => expect(connector.topics().toSorted()).toEqual(wanted), { timeout: 10_000 });
  return { heard, sender, gateway, listening };
}

const names = (heard: readonly Heard[]) => heard.map(({ name }) => name);

test("an event reaches the functions whose topic names its subject, as the real connector sends it", async () => {
  const { heard, sender, listening } = await lab(
    { cleanup: "mapshot.rendered", notify: "backups.completed,backups.failed", cron: "cron-function", odd: "a.*,>" },
    () => new Response(),
  );
  await listening("backups.completed", "backups.failed", "mapshot.rendered");
  for (const subject of ["cron-function", "backups", "backups.completed.more", "a.b"]) sender.publish(subject, "x");
  sender.publish("backups.failed", '{"specversion":"1.0"}');
  await vi.waitFor(() => expect(names(heard)).toContain("notify"));
  sender.publish("mapshot.rendered", "last");
  await vi.waitFor(() => expect(heard.at(-1)?.body).toBe("last"));
  expect(names(heard).filter((name) => name !== "cleanup")).toEqual(["notify"]);
  const { headers, body } = heard.find(({ name }) => name === "notify") as Heard;
  expect(body).toBe('{"specversion":"1.0"}');
  expect(headers).toMatchObject({
    "x-connector": "connector-sdk",
    "x-topic": "backups.failed",
    "x-call-id": expect.any(String),
  });
  expect([headers["content-type"], headers.authorization]).toEqual([undefined, undefined]);
});

test("a failed call is not tried again, and does not keep the next function on the topic from being called", async () => {
  const { heard, sender, listening } = await lab({ one: "x.y", two: "x.y" }, (name) =>
    name === "one" ? new Response("no", { status: 500 }) : new Response(),
  );
  await listening("x.y");
  sender.publish("x.y", "first");
  sender.publish("x.y", "second");
  await vi.waitFor(() => expect(heard).toHaveLength(4));
  expect(heard.map(({ name, body }) => `${name} ${body}`)).toEqual([
    "one first",
    "two first",
    "one second",
    "two second",
  ]);
});

test("what is deployed later is called from then on, and what was removed is not any more", async () => {
  const { heard, sender, gateway, listening } = await lab({ one: "x.y", two: "none" }, () => new Response());
  await listening("none", "x.y");
  gateway.deployments.remove("one");
  gateway.deployments.set({ service: "two", image: "i", annotations: { topic: "z" } });
  await listening("z");
  sender.publish("x.y", "nobody listens");
  sender.publish("z", "the end");
  await vi.waitFor(() => expect(heard.at(-1)?.body).toBe("the end"));
  expect(new Set(names(heard))).toEqual(new Set(["two"]));
});

test("a NATS that is away at the start is found later", async () => {
  const port = await freePort();
  const { url, gateway } = await startGateway({ one: () => new Response() });
  const functions = () => gateway.deployments.list().map((fn) => ({ ...fn, annotations: { topic: "x.y" } }));
  const options = { natsUrl: `nats://127.0.0.1:${port}`, gatewayUrl: url, functions, log: silentLog, rebuildMs: 50 };
  onTestFinished(startNatsConnector(options).stop);
  const server = await startNatsServer({ folder: join(await tempFolder(), "nats"), port });
  onTestFinished(server.kill);
  const sender = await connect({ servers: server.url });
  onTestFinished(() => sender.close());
  await vi.waitFor(
    () => {
      sender.publish("x.y", "x");
      expect(gateway.deployments.get("one")?.invocationCount).toBeGreaterThan(0);
    },
    { timeout: 10_000, interval: 100 },
  );
});
