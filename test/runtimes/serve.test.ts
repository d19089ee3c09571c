import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer, request } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { RunView, StateView } from "../../shared/run/report.ts";
import { busAt, ended, ownNats, storedIn } from "../events/testing.ts";
import { configure, layLab, places, play } from "../worlds/factorio.ts";

const root = join(import.meta.dirname, "../..");
const entry = join(root, "functions/serve.ts");
const handler = join(root, "functions/fetch.ts");

const runtimes = {
  Node: (_: number) => [process.execPath, entry],
  "deno serve": (port: number) => [
    join(root, "node_modules/.bin/deno"),
    "serve",
    "--quiet",
    "--no-lock",
    "--allow-all",
    "--host=127.0.0.1",
    `--port=${port}`,
    handler,
  ],
};

/** Nobody has to learn that no more calls are wanted. */
const atOnce = { healthcheck_interval: "0" };

let folder: string;
let server: ChildProcess | undefined;
afterEach(async () => {
  if (server?.exitCode === null) {
    server.kill("SIGTERM");
    await once(server, "exit");
  }
  await rm(folder, { recursive: true, force: true });
});

test.for(Object.entries(runtimes))(
  "a function runs unchanged on %s: backs up, tells, and lists",
  { timeout: 60_000 },
  async ([, command]) => {
    folder = await mkdtemp(join(tmpdir(), "keepsake-runtime-"));
    await layLab(folder);
    const save = await play(folder, 1000);
    const nats = await ownNats();
    const port = await freePort();
    const [program, ...args] = command(port) as [string, ...string[]];
    const env = { KEEPSAKE_FUNCTION: "backup-factorio", KEEPSAKE_CONFIG: places(folder).config };
    server = spawn(program, args, {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
      env: {
        ...process.env,
        ...env,
        ...atOnce,
        TMPDIR: folder,
        NATS_URL: nats.url,
        PORT: String(port),
        HOST: "127.0.0.1",
      },
    });
    const url = `http://127.0.0.1:${port}`;
    await untilReady(url, server);

    const started = await fetch(url, {
      method: "POST",
      headers: { accept: "application/json", "x-call-id": "1", prefer: "respond-async" },
    });
    const run = RunView.parse(await started.json());
    expect(started.status).toBe(202);
    expect(started.headers.get("location")).toBe(`/function/backup-factorio/runs/${run.id}`);

    const stream = await fetch(`${url}/runs/${run.id}`, { headers: { accept: "text/event-stream" } });
    const events = await stream.text();
    expect(events).toMatch(/event: progress\n/);
    expect(events.match(/^event: \w+/gm)?.at(-1)).toBe("event: end");

    const again = await fetch(url, { method: "POST", headers: { accept: "application/json", "x-call-id": "1" } });
    expect(again.status).toBe(200);
    expect(RunView.parse(await again.json())).toMatchObject({ id: run.id, status: "created", joined: true });

    const state = StateView.parse(await (await fetch(url, { headers: { accept: "application/json" } })).json());
    expect(state.apps[0]?.points).toMatchObject([{ verified: true, latest: true }]);
    expect(await readFile(join(places(folder).backups, "latest.zip"))).toEqual(await readFile(save));
    expect((await fetch(url, { method: "POST", body: '{"operation":"restore"}' })).status).toBe(400);
    expect(await storedIn(nats.url)).toEqual([`${run.id}.outcome`]);
  },
);

test("functions/serve.ts is well before its function is there, ready once it is, and can be ended meanwhile", async () => {
  folder = await mkdtemp(join(tmpdir(), "keepsake-runtime-"));
  const config = join(folder, "keepsake.yaml");
  // Whoever reads it waits for whoever writes it.
  await promisify(execFile)("mkfifo", [config]);
  const start = async () => {
    const port = await freePort();
    const env = {
      KEEPSAKE_FUNCTION: "backup-factorio",
      KEEPSAKE_CONFIG: config,
      PORT: String(port),
      HOST: "127.0.0.1",
    };
    const child = spawn(process.execPath, [entry], {
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, ...env, ...atOnce, TMPDIR: folder },
    });
    server = child;
    const statusOf = async (path: string) => (await fetch(`http://127.0.0.1:${port}/_/${path}`)).status;
    await vi.waitFor(async () => expect(await statusOf("health")).toBe(200), { timeout: 20_000, interval: 50 });
    expect(await statusOf("ready")).toBe(503);
    return { child, ended: once(child, "exit"), statusOf };
  };
  const first = await start();
  first.child.kill("SIGTERM");
  expect(await first.ended).toEqual([0, null]);

  const second = await start();
  await writeFile(config, "apps: { factorio: }");
  await vi.waitFor(async () => expect(await second.statusOf("ready")).toBe(200), { timeout: 20_000, interval: 50 });
  second.child.kill("SIGTERM");
  expect(await second.ended).toEqual([0, null]);

  const third = await start();
  await writeFile(config, "apps: { factoryo: }");
  expect(await third.ended).toEqual([1, null]);
});

test("functions/serve.ts begins what a function does by itself, and ends it before the process does", async () => {
  folder = await mkdtemp(join(tmpdir(), "keepsake-runtime-"));
  await layLab(folder);
  const nats = await ownNats();
  const bus = await busAt(nats.url);
  const port = await freePort();
  const env = { KEEPSAKE_FUNCTION: "notify", KEEPSAKE_CONFIG: places(folder).config, NATS_URL: nats.url };
  server = spawn(process.execPath, [entry], {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...env, ...atOnce, TMPDIR: folder, PORT: String(port), HOST: "127.0.0.1" },
  });
  await bus.publisher.publish(ended("one"));
  // Its consumer takes what is stored, though nobody has called it; without a channel there is nothing to tell it on.
  await vi.waitFor(async () => expect(await pendingOf(nats.url, "notify")).toBe(0), { timeout: 20_000, interval: 100 });
  server.kill("SIGTERM");
  expect(await once(server, "exit")).toEqual([0, null]);
});

test("functions/serve.ts runs unchanged behind a watchdog; a call that waits for an outcome is told at the end how to go on, and exit status 0 is the last thing", async () => {
  folder = await mkdtemp(join(tmpdir(), "keepsake-runtime-"));
  await layLab(folder);
  await play(folder, 1000);
  // A console that says nothing: so long the run goes on.
  const console = createServer().listen(0, "127.0.0.1");
  const asked = once(console, "connection");
  await once(console, "listening");
  await writeFile(join(folder, "password"), "x");
  const rcon = { port: (console.address() as AddressInfo).port, passwordFile: join(folder, "password") };
  await configure(folder, { rcon });
  const watchdog = await startWatchdog();
  // of-watchdog's own variables are the function's, too; where that is to listen is told beside them.
  const port = await freePort();
  const about = { KEEPSAKE_FUNCTION: "backup-factorio", KEEPSAKE_CONFIG: places(folder).config, HOST: "127.0.0.1" };
  const ports = { port: String(watchdog.port), upstream_port: String(port) };
  const child = spawn(process.execPath, [entry], {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...about, ...ports, ...atOnce, TMPDIR: folder },
  });
  server = child;
  const ended = once(child, "exit");
  watchdog.upstream(port);
  await untilReady(watchdog.url, child);
  // The lock file is the watchdog's.
  await expect(access(join(folder, ".lock"))).rejects.toThrow();

  const waiting = fetch(watchdog.url, { method: "POST", headers: { accept: "application/json" } });
  const [connection] = await asked;
  child.kill("SIGTERM");
  const answer = await waiting;
  expect([answer.status, RunView.parse(await answer.json()).status]).toEqual([202, "running"]);
  expect(answer.headers.get("location")).toMatch(/^\/function\/backup-factorio\/runs\//);
  expect(await ended).toEqual([0, null]);
  (connection as Socket).destroy();
  console.close();
});

/** As of-watchdog passes calls on in its mode `http`: another connection, and the whole answer at once. */
async function startWatchdog() {
  let upstream = 0;
  const watchdog = createHttpServer((call, answer) => {
    const onward = request({
      port: upstream,
      host: "127.0.0.1",
      path: call.url,
      method: call.method,
      headers: call.headers,
    });
    onward.on("error", () => answer.writeHead(500).end());
    onward.on("response", async (response) => {
      const body = await buffer(response);
      answer.writeHead(response.statusCode ?? 500, response.headers).end(body);
    });
    call.pipe(onward);
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    watchdog.closeAllConnections();
    watchdog.close();
  });
  await once(watchdog, "listening");
  const { port } = watchdog.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}`, upstream: (to: number) => { upstream = to; } }; // biome-ignore format: one line reads better
}

/** How many events a durable has neither taken nor acknowledged; undefined without such a durable. */
async function pendingOf(url: string, durable: string): Promise<number | undefined> {
  const nats = await connect({ servers: url });
  try {
    const manager = await jetstreamManager(nats);
    const found = await manager.consumers.info("backups", durable).catch(() => undefined);
    return found && found.num_pending + found.num_ack_pending;
  } finally {
    await nats.close();
  }
}

async function untilReady(url: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (child.exitCode !== null) throw new Error(`The server ended with ${child.exitCode}`);
    if (
      await fetch(`${url}/_/ready`).then(
        (answer) => answer.ok,
        () => false,
      )
    )
      return;
    await delay(100);
  }
  throw new Error("The server does not answer");
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return port;
}
