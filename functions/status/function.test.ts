import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { serve } from "@hono/node-server";
import { expect, onTestFinished, test, vi } from "vitest";
import { startNatsServer } from "../../deploy/local/lab/nats/server.ts";
import { Event, eventOf } from "../../events/event.ts";
import { describeOutcome, describeRun, makeNas, silentLog, tempFolder } from "../../shared/testing.ts";
import { busAt, ownNats } from "../../test/events/testing.ts";
import { loadFunction } from "../function.ts";
import { loadStatus } from "./function.ts";
import type { StatusView } from "./view.ts";

/* The function over a real NATS and a real function of an app, in real time. */

async function lab() {
  const nats = await ownNats();
  const folder = await tempFolder();
  await Promise.all(["nas", "secrets", "saves"].map((name) => mkdir(join(folder, name))));
  await writeFile(join(folder, "secrets/keepsake-token"), "token");
  const { nas } = await makeNas(join(folder, "nas"));
  const { history } = nas.app("factorio");
  await mkdir(history, { recursive: true });
  await writeFile(join(history, "factorio-20251219-180000.zip"), "of the incumbent");
  const configPath = join(folder, "keepsake.yaml");
  const apps = "apps:\n  factorio: { saves: ./saves }\n";
  await writeFile(
    configPath,
    `nas: ./nas\nstate: ./state\nsecrets: ./secrets\nnats: ${nats.url}\ntimeZone: UTC\nnasTimeoutSeconds: 1\nstatus: { scrubHours: 0, drillDays: 0, digestAt: "off" }\n${apps}`,
  );
  const backup = await loadFunction("backup-factorio", { configPath, log: silentLog });
  const handedIn: Event[] = [];
  const asked: string[] = [];
  const server = serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      asked.push(pathname);
      if (pathname === "/function/backup-factorio") return backup.fetch(new Request("http://backup/", request));
      if (pathname !== "/function/notify") return new Response("", { status: 404 });
      if (request.method === "POST") handedIn.push(Event.parse(await request.json()));
      return Response.json({
        function: "notify",
        configured: true,
        nats: { connected: true },
        waiting: 0,
        channels: [],
      });
    },
  });
  onTestFinished(() => void server.close());
  await vi.waitFor(() => expect(server.listening).toBe(true));
  const { port } = server.address() as { port: number };
  const start = async (isRested = false) => {
    const status = await loadStatus({ configPath, log: silentLog, gatewayUrl: `http://127.0.0.1:${port}`, isRested });
    status.start();
    onTestFinished(() => status.stop());
    const get = (path = "/", accept = "*/*") =>
      status.fetch(new Request(`http://status${path}`, { headers: { accept } }));
    const view = async () => (await (await get("/", "application/json")).json()) as StatusView;
    const round = () => status.fetch(new Request("http://status/", { method: "POST" }));
    return { ...status, get, view, round };
  };
  return { nats, folder, start, handedIn, asked };
}

test("loadStatus() answers with a page, JSON, lines and metrics, and hears of runs from NATS at once", async () => {
  const { nats, start } = await lab();
  const { get, view, round } = await start();
  expect((await round()).status).toBe(200);
  expect(await view()).toMatchObject({
    nas: { reachable: true, freeBytes: expect.any(Number) },
    events: { connected: true },
    apps: [{ app: "factorio", schedule: "every 6 hours", points: [{ id: "20251219-180000" }] }],
  });
  const page = await get("/", "text/html,application/xhtml+xml");
  expect(page.headers.get("content-type")).toContain("text/html");
  expect(await page.text()).toContain("Factorio");
  expect(await (await get()).text()).toMatch(/^Factorio .*\n(?:.*\n)*Factorio: /);
  expect(await (await get("/metrics")).text()).toContain("# TYPE keepsake_");
  expect((await get("/nowhere")).status).toBe(404);

  const bus = await busAt(nats.url);
  await bus.publisher.publish(eventOf(describeOutcome(describeRun({ id: "backup-factorio-1", app: "factorio" }))));
  await vi.waitFor(async () => expect((await view()).runs.map(({ runId }) => runId)).toEqual(["backup-factorio-1"]), {
    timeout: 10_000,
  });
});

test("loadStatus() that starts while the NAS is away shows what was known, over a restart, and goes on", async () => {
  const { folder, start } = await lab();
  const first = await start();
  await first.round();
  await first.stop();
  await rename(join(folder, "nas"), join(folder, "nas-away"));
  const second = await start();
  await second.round();
  expect(await second.view()).toMatchObject({
    nas: { reachable: false, totalBytes: expect.any(Number) },
    conditions: [{ id: "nas:away", told: false }],
    apps: [{ app: "factorio", points: [{ id: "20251219-180000" }] }],
  });
  await rename(join(folder, "nas-away"), join(folder, "nas"));
  await second.round();
  expect(await second.view()).toMatchObject({ nas: { reachable: true }, conditions: [] });
});

test("loadStatus() rests between its rounds, knows then what it knew, and asks nobody before the next one, but when something came", async () => {
  const { nats, start, asked } = await lab();
  const first = await start();
  expect(await first.rest()).toMatchObject({ forMs: 0 });
  await first.round();
  await vi.waitFor(async () => expect(await first.rest()).toEqual({ forMs: expect.any(Number), bell: nats.url }));
  await vi.waitFor(async () => expect((await first.rest()).forMs).toBeGreaterThan(0));
  await first.stop();

  asked.length = 0;
  const second = await start(true);
  expect(await (await second.get("/metrics")).text()).toContain("keepsake_");
  expect(await second.view()).toMatchObject({ nas: { reachable: true }, apps: [{ points: [{ verified: false }] }] });
  expect(asked).toEqual([]);
  const { forMs } = await second.rest();
  expect(forMs).toBeGreaterThan(15_000);
  const bus = await busAt(nats.url);
  await bus.publisher.publish(eventOf(describeOutcome(describeRun({ id: "backup-factorio-1", app: "factorio" }))));
  await vi.waitFor(() => expect(asked).toContain("/function/backup-factorio"), { timeout: 10_000 });
});

test("loadStatus() works while NATS is away at its start, and connects when it is there", async () => {
  const { nats, start } = await lab();
  await nats.stop();
  const { view, round } = await start();
  await round();
  expect(await view()).toMatchObject({ events: { connected: false }, apps: [{ state: "never" }] });
  onTestFinished((await startNatsServer({ folder: nats.folder })).kill);
  await vi.waitFor(
    async () => {
      await round();
      expect((await view()).events.connected).toBe(true);
    },
    { timeout: 20_000, interval: 500 },
  );
});

test("loadStatus() refuses settings that it does not know, naming them", async () => {
  const { folder } = await lab();
  const configPath = join(folder, "wrong.yaml");
  await writeFile(configPath, 'status: { graceMinutes: 0, digestAt: "8", drils: 1 }\n');
  await expect(loadStatus({ configPath, log: silentLog })).rejects.toThrow(
    /status\.graceMinutes: .*\n.*status\.digestAt: a time such as "08:00", or off\n.*drils/s,
  );
});
