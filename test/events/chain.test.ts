import { existsSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import type { FetchHandler } from "../../deploy/local/gateway/call-function.ts";
import { createGateway } from "../../deploy/local/gateway/gateway.ts";
import { startNatsConnector } from "../../deploy/local/gateway/nats-connector.ts";
import { deployStack } from "../../deploy/local/gateway/stack-functions.ts";
import { startNatsServer } from "../../deploy/local/lab/nats/server.ts";
import type { Event } from "../../events/event.ts";
import { loadFunction } from "../../functions/function.ts";
import { Outcome, RunView } from "../../shared/run/report.ts";
import { loadStackFile } from "../../shared/stack/stack-file.ts";
import { silentLog, tempFolder } from "../../shared/testing.ts";
import { layLab, places, render, wholeMap } from "../worlds/mapshot.ts";
import { busAt, next, ownNats } from "./testing.ts";

/* A render is published, its event wakes the cleanup, and what the cleanup did is told: with real runs and a real NATS. */

let folder: string;
beforeEach(async () => {
  folder = await tempFolder("memory");
  await layLab(folder);
});

/** The functions of Mapshot as stack.yml has them, behind a gateway with a connector. */
async function serve(natsUrl: string): Promise<(name: string) => Promise<RunView>> {
  const stack = await loadStackFile(join(import.meta.dirname, "../../stack.yml"), {});
  const functions = new Map<string, FetchHandler>();
  const auth = { user: "admin", password: "unused" };
  const gateway = createGateway({ functions, stack: [], port: 0, auth, log: silentLog });
  const gatewayUrl = await gateway.start();
  onTestFinished(() => gateway.stop(0));
  const ofMapshot = stack.filter(({ service }) => ["render-mapshot", "cleanup-mapshot"].includes(service));
  const configPath = places(folder).config;
  const options = { configPath, natsUrl, gatewayUrl, logOf: () => silentLog };
  onTestFinished(await deployStack(ofMapshot, gateway, functions, options));
  const connector = startNatsConnector({ natsUrl, gatewayUrl, functions: gateway.deployments.list, log: silentLog });
  onTestFinished(connector.stop);
  await vi.waitFor(() => expect(connector.topics()).toEqual(["mapshot.rendered"]), { timeout: 10_000 });
  return (name) => call((request) => fetch(`${gatewayUrl}/function/${name}`, request));
}

const call = async (send: (request: RequestInit) => Promise<Response>) =>
  RunView.parse(await (await send({ method: "POST", headers: { accept: "application/json" } })).json());

/** One function without a gateway, so that nobody is woken. */
async function alone(name: string, natsUrl: string): Promise<() => Promise<RunView>> {
  const { fetch } = await loadFunction(name, { configPath: places(folder).config, log: silentLog, natsUrl });
  return () => call((request) => fetch(new Request("http://function/", request)));
}

const both = (name: string) => [join(places(folder).map, "renders", name), join(places(folder).renders, name)];

test("a render that was published wakes the cleanup, which removes the old one on both sides and tells so", async () => {
  const { url } = await ownNats();
  const post = await serve(url);
  const inbox = await (await busAt(url)).inbox("test");
  const come = async (count: number) => (await next(inbox, count)).map((given) => (given as { event: Event }).event);

  const old = await render(folder);
  expect((await post("render-mapshot")).outcome).toMatchObject({ outcome: "created", announces: "mapshot.rendered" });
  await come(3);
  const fresh = await render(folder, { tick: 9_999_999 });
  expect(fresh).not.toBe(old);
  // The cleanup has told its end, and may not quite have ended.
  const { id, outcome } = await vi.waitFor(() => post("render-mapshot"), { timeout: 10_000 });
  expect(outcome).toMatchObject({ outcome: "created", removed: [] });
  const events = await come(3);
  expect(events.map(({ subject, data }) => [subject, (data as { outcome?: string }).outcome])).toEqual([
    ["backups.completed", "created"],
    ["mapshot.rendered", "created"],
    ["backups.changed", "cleaned"],
  ]);
  expect(events.map((event) => event.id).slice(0, 2)).toEqual([`${id}.outcome`, `${id}.rendered`]);
  const cleaned = Outcome.parse(events[2]?.data);
  expect(cleaned.startedBy).toBe("event mapshot.rendered");
  expect(cleaned.removed?.filter((path) => path.endsWith(old)).toSorted()).toEqual(both(old).toSorted());
  expect([...both(old), ...both(fresh)].map((path) => existsSync(path))).toEqual([false, false, true, true]);
  await wholeMap(places(folder).map);
  await wholeMap(places(folder).renders);
});

test("a cleanup that was not woken is made up for by the next run that publishes", async () => {
  const { url } = await ownNats();
  const publish = await alone("render-mapshot", url);
  await render(folder);
  await publish();
  const second = await render(folder, { tick: 9_999_999 });
  expect((await publish()).outcome?.removed).toEqual(expect.arrayContaining([expect.stringContaining("renders/d-")]));
  await render(folder, { tick: 10_000_001 });
  await publish();
  expect(both(second).map((path) => existsSync(path))).toEqual([false, false]);
});

test("a render that is published while NATS is away wakes the cleanup when it is back", async () => {
  const { url, stop, folder: store } = await ownNats();
  await stop();
  const publish = await alone("render-mapshot", url);
  await render(folder);
  const first = await publish();
  expect(first.outcome).toMatchObject({ outcome: "created", announces: "mapshot.rendered" });
  const again = await startNatsServer({ folder: store });
  expect(again.url).toBe(url);
  const second = await publish();
  expect(second.outcome?.outcome).toBe("unchanged");
  const told = await next(await (await busAt(url)).inbox("test"), 3);
  expect(told.map((given) => (given as { event: Event }).event.id)).toEqual([
    `${first.id}.outcome`,
    `${first.id}.rendered`,
    `${second.id}.outcome`,
  ]);
});
