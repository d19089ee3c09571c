import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect } from "@nats-io/transport-node";
import { expect, onTestFinished, test } from "vitest";
import { stopNatsServer } from "../../deploy/local/lab/nats/server.ts";
import { ownNats } from "../events/testing.ts";

const main = `${import.meta.dirname}/../../deploy/local/gateway/main.ts`;

/** A folder with a configuration of no apps. */
async function lab() {
  const folder = await mkdtemp(join(tmpdir(), "gateway-"));
  onTestFinished(async () => {
    // One that was killed leaves it running, for the next.
    await stopNatsServer(join(folder, "state/nats"));
    await rm(folder, { recursive: true });
  });
  await writeFile(join(folder, "keepsake.yaml"), "nas: ./nas\nstate: ./state\nsecrets: ./secrets\napps: {}\n");
  return folder;
}

const start = (folder: string, ...args: string[]) => startWith({}, folder, ...args);

function startWith(env: NodeJS.ProcessEnv, folder: string, ...args: string[]) {
  const child = spawn(process.execPath, [main, "--config", join(folder, "keepsake.yaml"), ...args], {
    env: { ...process.env, TZ: "Europe/Berlin", KEEPSAKE_TZ: "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(async () => {
    if (child.kill("SIGKILL")) await once(child, "exit");
  });
  return child;
}

/** Starts the gateway and waits until it says that it listens. */
async function started(folder: string, env: NodeJS.ProcessEnv = {}) {
  const child = startWith(env, folder, "--port", "0");
  let said = "";
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    said += chunk;
    if (said.includes("Ctrl-C")) break;
  }
  const file = JSON.parse(await readFile(join(folder, "state/gateway.json"), "utf8")) as Record<string, string>;
  return { child, said, file, url: String(file.url) };
}

test("main.ts serves the functions, says how, starts a NATS of its own, and leaves nothing behind", async () => {
  const folder = await lab();
  const { child, said, file, url } = await started(folder);
  const tokenFile = join(folder, "secrets/keepsake-token");
  expect(said).toContain(`listens on ${url}\n`);
  expect(said).toContain(tokenFile);
  expect(said).toMatch(
    /backup-factorio +next \w{3} \d+ \w{3} \d\d:00 (CET|CEST|GMT\+[12]) {2}\(CRON_TZ=UTC 0 \*\/6 \* \* \*\)/,
  );
  expect(said).toMatch(/restore-factorio +when called/);
  expect(file).toEqual({ url, pid: child.pid, startedAt: expect.stringMatching(/Z$/), tokenFile });
  for (const path of [tokenFile, join(folder, "state/gateway.json")])
    expect((await stat(path)).mode & 0o777).toBe(0o600);

  const token = (await readFile(tokenFile, "utf8")).trim();
  expect(token).toMatch(/^[\w-]{43}$/);
  const headers = { Authorization: `Basic ${Buffer.from(`admin:${token}`).toString("base64")}` };
  const functions = (await (await fetch(`${url}/system/functions`, { headers })).json()) as { name: string }[];
  expect(functions.map(({ name }) => name)).toContain("restore-postgresql");
  expect(await (await fetch(`${url}/system/secrets`, { headers })).json()).toMatchObject([{ name: "keepsake-token" }]);
  expect((await fetch(`${url}/function/backup-factorio`)).headers.get("x-call-id")).toBeTruthy();

  const [, natsUrl = ""] = /NATS +(nats:\/\/127\.0\.0\.1:\d+), a nats-server of its own/.exec(said) ?? [];
  await (await connect({ servers: natsUrl })).close();
  expect(said).toMatch(/cleanup-mapshot +when called, and on mapshot\.rendered/);

  child.kill("SIGINT");
  expect(await once(child, "exit")).toEqual([0, null]);
  await expect(connect({ servers: natsUrl, reconnect: false })).rejects.toThrow();
  expect(await readdir(join(folder, "state"))).not.toContain("gateway.json");
});

test("main.ts uses the NATS that NATS_URL names, and shows no password", async () => {
  const { url } = await ownNats({ name: "keepsake", password: "s3cret" });
  const { said } = await started(await lab(), { NATS_URL: url.replace("//", "//keepsake:s3cret@") });
  expect(said).toMatch(new RegExp(`NATS +${url}\n`));
  expect(said).not.toContain("s3cret");
});

test("main.ts refuses a second gateway over the same folder, but not after one that was killed", async () => {
  const folder = await lab();
  const first = await started(folder);
  const second = start(folder, "--port", "0");
  expect(await text(second.stderr)).toContain(`one answers at ${first.url}\n`);
  expect(second.exitCode ?? (await once(second, "exit"))[0]).toBe(1);

  const token = await readFile(String(first.file.tokenFile), "utf8");
  first.child.kill("SIGKILL");
  await once(first.child, "exit");
  const third = await started(folder);
  expect(third.file.pid).toBe(third.child.pid);
  expect(await readFile(String(third.file.tokenFile), "utf8")).toBe(token);
});

test("main.ts says what to do when the port is taken, and leaves no file", async () => {
  const folder = await lab();
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  onTestFinished(() => void taken.close());
  const { port } = taken.address() as { port: number };
  const child = start(folder, "--port", String(port));
  const said = await text(child.stderr);
  expect(said).toContain(`Cannot listen on 127.0.0.1:${port}: the port is taken\n`);
  expect(said).toContain("make up PORT=");
  expect(await readdir(join(folder, "state"))).not.toContain("gateway.json");
});

test.each([
  [["--port", "x"], 'Cannot use --port "x": a number from 0 to 65535 is wanted'],
  [["--timeout", "0"], 'Cannot use --timeout "0": a number from 1 to 86400 is wanted'],
  [["--stack", "/nowhere.yml"], 'Cannot read the stack file "/nowhere.yml"'],
])("main.ts %j is refused", async (args, message) => {
  const child = start(await lab(), ...args);
  expect(await text(child.stderr)).toContain(message);
});
