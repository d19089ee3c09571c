import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readState } from "../../deploy/local/lab/factorio/game.ts";
import { loadFunction } from "../../functions/function.ts";
import { createLog } from "../../shared/log.ts";
import { markerPath } from "../../shared/nas/nas.ts";
import { Outcome, Problem, RunView } from "../../shared/run/report.ts";
import { configure, layLab, places, play } from "../worlds/factorio.ts";

/* The functions with real runners behind them, over a real folder. */

const exec = promisify(execFile);
const token = "a-token-for-this-test";
let folder: string;
let call = 0;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "keepsake-functions-"));
  await layLab(folder);
  await mkdir(join(folder, "secrets"));
  await writeFile(join(folder, "secrets/keepsake-token"), `${token}\n`);
  const { config } = places(folder);
  await writeFile(config, JSON.stringify({ ...JSON.parse(await readFile(config, "utf8")), secrets: "./secrets" }));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = (name: string) =>
  loadFunction(name, { configPath: places(folder).config, log: createLog("test", "silent") });

async function post(name: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  call += 1;
  const { fetch } = await open(name);
  return fetch(
    new Request("http://gateway/", {
      method: "POST",
      headers: {
        accept: "application/json",
        authorization: `Bearer ${token}`,
        "x-call-id": `call-${call}`,
        ...headers,
      },
      body: JSON.stringify(body),
    }),
  );
}

/** A server whose stop takes until the file `go` is there: a restore that waits where a test wants it. */
async function slowStop(): Promise<{ go(): Promise<void>; stopping(): Promise<void>; up: string }> {
  const [go, stopping, up] = ["go", "stopping", "up"].map((name) => join(folder, name)) as [string, string, string];
  await writeFile(up, "");
  await play(folder, 1000);
  expect((await post("backup-factorio", {})).status).toBe(200);
  await play(folder, 2000);
  // Not for ever, should a test fail in between.
  const wait = `n=0; while [ ! -e ${go} ] && [ $n -lt 400 ]; do n=$((n + 1)); sleep 0.05; done`;
  const stop = `touch ${stopping}; ${wait}; rm -f ${up}`;
  await configure(folder, { workload: { stop, start: `touch ${up}`, status: `test -e ${up}`, timeoutSeconds: 20 } });
  const { config } = places(folder);
  await writeFile(config, JSON.stringify({ ...JSON.parse(await readFile(config, "utf8")), secrets: "./secrets" }));
  return {
    up,
    go: () => writeFile(go, ""),
    stopping: () => vi.waitFor(() => access(stopping), { timeout: 20_000, interval: 50 }),
  };
}

test("while a restore runs, the same request joins it, another one gets 409 with who and since when", async () => {
  const server = await slowStop();
  const first = RunView.parse(
    await (
      await post("restore-factorio", {}, { prefer: "respond-async", "x-keepsake-client": "make on kitchen-mac" })
    ).json(),
  );
  await server.stopping();
  const same = await post("restore-factorio", {}, { prefer: "respond-async" });
  expect(same.status).toBe(202);
  expect(RunView.parse(await same.json())).toMatchObject({
    id: first.id,
    joined: true,
    startedBy: "make on kitchen-mac",
  });
  const other = await post("backup-factorio", {});
  expect(other.status).toBe(409);
  expect(Problem.parse(await other.json())).toMatchObject({
    code: "app_busy",
    running: { runId: first.id, operation: "restore", startedBy: "make on kitchen-mac" },
  });
  await server.go();
  // Not by another POST: once it has ended, that would be a new run.
  const { fetch } = await open("restore-factorio");
  const look = async () => {
    const request = new Request(`http://gateway/runs/${first.id}`, { headers: { accept: "application/json" } });
    return RunView.parse(await (await fetch(request)).json()).status;
  };
  await expect.poll(look, { timeout: 60_000 }).toBe("restored");
});

test("DELETE cancels a restore: the old data stays, the server comes back", async () => {
  const server = await slowStop();
  const run = RunView.parse(await (await post("restore-factorio", {}, { prefer: "respond-async" })).json());
  await server.stopping();
  const { fetch } = await open("restore-factorio");
  const remove = (headers: Record<string, string>) =>
    fetch(new Request(`http://gateway/runs/${run.id}`, { method: "DELETE", headers }));
  expect((await remove({})).status).toBe(401);
  expect((await remove({ authorization: `Bearer ${token}` })).status).toBe(202);
  await server.go();
  const view = await vi.waitFor(
    async () => {
      const now = RunView.parse(
        await (
          await fetch(new Request(`http://gateway/runs/${run.id}`, { headers: { accept: "application/json" } }))
        ).json(),
      );
      expect(now.status).not.toBe("running");
      return now;
    },
    { timeout: 20_000, interval: 50 },
  );
  expect(["cancelled", "restored"]).toContain(view.status);
  await access(server.up);
  const saves = (await readdir(places(folder).saves)).filter((name) => name.endsWith(".zip"));
  const expected = view.status === "cancelled" ? 2000 : 1000;
  expect((await readState(join(places(folder).saves, saves[0] as string))).tick).toBe(expected);
});

test("a run outlives the function that started it, and the next one joins it", async () => {
  const server = await slowStop();
  const script = join(folder, "caller.ts");
  const library = join(import.meta.dirname, "../../functions/function.ts");
  await writeFile(
    script,
    `import { loadFunction } from ${JSON.stringify(library)};
     const { fetch } = await loadFunction("restore-factorio", { configPath: process.argv[2] });
     const headers = { accept: "application/json", authorization: "Bearer ${token}", prefer: "respond-async" };
     console.log(await (await fetch(new Request("http://gateway/", { method: "POST", headers }))).text());
     setInterval(() => {}, 1000);`,
  );
  const caller = spawn(process.execPath, [script, places(folder).config], { stdio: ["ignore", "pipe", "inherit"] });
  const [text] = await once(caller.stdout, "data");
  const run = RunView.parse(JSON.parse(String(text)));
  await server.stopping();
  caller.kill("SIGKILL");
  await once(caller, "exit");
  await server.go();
  const { fetch } = await open("restore-factorio");
  const stream = await fetch(
    new Request(`http://gateway/runs/${run.id}`, { headers: { accept: "text/event-stream" } }),
  );
  const events = await stream.text();
  expect(events).toContain("event: outcome");
  expect(events).toContain('"outcome":"restored"');
});

test("two apps of one type are one parent run, as bad as the worst of them", async () => {
  const { config, saves, nas } = places(folder);
  await play(folder, 1000);
  const settings = { nas, state: join(folder, "state"), secrets: "./secrets" };
  const apps = { factorio: { saves }, "factorio-2": { type: "factorio", saves: join(folder, "nowhere") } };
  await writeFile(config, JSON.stringify({ ...settings, apps }));
  const answer = await post("backup-factorio", {});
  expect(answer.status).toBe(422);
  const { run, code } = Problem.parse(await answer.json());
  expect(code).toBe("source_missing");
  expect(run?.runs?.map(({ app, status }) => [app, status])).toEqual([
    ["factorio", "created"],
    ["factorio-2", "refused"],
  ]);
  const [first, second] = await Promise.all([post("backup-factorio", {}), post("backup-factorio", {})]);
  const ids = await Promise.all([first, second].map(async (each) => Problem.parse(await each.json()).run?.id));
  expect(ids[0], "a second caller joins the parent run").toBe(ids[1]);
  expect((await post("backup-factorio", { app: "factorio" })).status).toBe(200);
  expect(Problem.parse(await (await post("restore-factorio", {})).json())).toMatchObject({
    status: 400,
    code: "invalid_request",
  });
});

test("a NAS that hangs is answered with 503 within seconds, and fails the run that meets it", {
  timeout: 30_000,
}, async () => {
  await play(folder, 1000);
  const { config, nas, state } = places(folder);
  await rm(markerPath(nas));
  // Opening a pipe that nobody writes to hangs as a dead NFS server does.
  await exec("mkfifo", [markerPath(nas)]);
  const since = performance.now();
  const { fetch } = await open("backup-factorio");
  const state503 = await fetch(new Request("http://gateway/", { headers: { accept: "application/json" } }));
  expect(Problem.parse(await state503.json())).toMatchObject({ status: 503, code: "nas_unreachable", retryable: true });
  expect((await post("backup-factorio", {})).status).toBe(503);
  expect(performance.now() - since).toBeLessThan(10_000);

  const runPath = join(folder, "run.json");
  const run = { id: "hung", function: "backup-factorio", app: "factorio", request: { operation: "backup", allow: [] } };
  await writeFile(runPath, JSON.stringify({ ...run, startedBy: "a test", startedAt: new Date().toISOString() }));
  const runner = join(import.meta.dirname, "../../functions/run.ts");
  const ended = await exec(process.execPath, [runner, config, runPath]).catch((error: { stdout: string }) => error);
  const outcome = Outcome.parse(JSON.parse(ended.stdout.trim().split("\n").at(-1) ?? ""));
  expect(outcome).toMatchObject({ outcome: "failed", failure: { code: "nas_unreachable" } });
  expect(await readdir(join(state, "outbox/factorio/told"))).toEqual(["hung.outcome.json"]);
  // Lets go the reads that hang in this process: opened both ways, a pipe has a writer and waits for nobody.
  closeSync(openSync(markerPath(nas), "r+"));
});
