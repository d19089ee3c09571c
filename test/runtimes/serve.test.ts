import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { RunView, StateView } from "../../shared/run/report.ts";
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
    const port = await freePort();
    const [program, ...args] = command(port) as [string, ...string[]];
    const env = { KEEPSAKE_FUNCTION: "backup-factorio", KEEPSAKE_CONFIG: places(folder).config };
    server = spawn(program, args, {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, ...env, PORT: String(port), HOST: "127.0.0.1" },
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
  },
);

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
