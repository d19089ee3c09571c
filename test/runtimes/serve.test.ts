import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterEach, expect, test, vi } from "vitest";
import { RunView, StateView } from "../../shared/run/report.ts";
import { busAt, ended, ownNats, storedIn } from "../events/testing.ts";
import { layLab, places, play } from "../worlds/factorio.ts";

const root = join(import.meta.dirname, "../..");
const entry = join(root, "functions/serve.ts");

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
    entry,
  ],
};

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
  "functions/serve.ts runs unchanged on %s: backs up, tells, and lists",
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
      env: { ...process.env, ...env, NATS_URL: nats.url, PORT: String(port), HOST: "127.0.0.1" },
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

test("functions/serve.ts begins what a function does by itself, and ends it before the process does", async () => {
  folder = await mkdtemp(join(tmpdir(), "keepsake-runtime-"));
  await layLab(folder);
  const nats = await ownNats();
  const bus = await busAt(nats.url);
  const port = await freePort();
  const env = { KEEPSAKE_FUNCTION: "notify", KEEPSAKE_CONFIG: places(folder).config, NATS_URL: nats.url };
  server = spawn(process.execPath, [entry], {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...env, PORT: String(port), HOST: "127.0.0.1" },
  });
  await bus.publisher.publish(ended("one"));
  // Its consumer takes what is stored, though nobody has called it; without a channel there is nothing to tell it on.
  await vi.waitFor(async () => expect(await pendingOf(nats.url, "notify")).toBe(0), { timeout: 20_000, interval: 100 });
  server.kill("SIGTERM");
  expect(await once(server, "exit")).toEqual([0, null]);
});

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
