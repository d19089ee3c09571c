import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { serve } from "@hono/node-server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startReconcile } from "../../deploy/local/gateway/reconcile.ts";
import { readState } from "../../deploy/local/lab/factorio/game.ts";
import { loadFunction } from "../../functions/function.ts";
import { loadAppTypes } from "../../functions/types.ts";
import { loadConfig } from "../../shared/config.ts";
import { createLog } from "../../shared/log.ts";
import { openNas } from "../../shared/nas/nas.ts";
import { findAbandoned } from "../../shared/run/abandoned.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import { hasOutcome } from "../../shared/run/outbox.ts";
import { localPlace } from "../../shared/run/place.ts";
import { describeRun, runKilled } from "../crash/kill.ts";
import { factorioServer, layLab, places, play } from "../worlds/factorio.ts";

const exec = promisify(execFile);
const token = "a-token-for-this-test";
const log = createLog("test", "silent");
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "keepsake-reconcile-"));
  await layLab(folder);
  await mkdir(join(folder, "secrets"));
  await writeFile(join(folder, "secrets/keepsake-token"), token);
  const { config } = places(folder);
  await writeFile(config, JSON.stringify({ ...JSON.parse(await readFile(config, "utf8")), secrets: "./secrets" }));
});
const control = (verb: string) =>
  exec(process.execPath, [factorioServer, verb, "--folder", places(folder).saves, "--port", "0"]);
afterEach(async () => {
  await control("stop");
  await rm(folder, { recursive: true, force: true });
});

test("an app that a killed restore left stopped is brought back by the gateway, over its old data, and the kill is told", async () => {
  const { config: configPath, state, nas, saves } = places(folder);
  const run = (request: Parameters<typeof describeRun>[1], killAt: number) => {
    const description = describeRun("factorio", request);
    return runKilled(state, configPath, description, killAt).then((ended) => ({ ...ended, id: description.id }));
  };
  await play(folder, 1000);
  expect((await run({ operation: "backup", allow: [] }, 0)).outcome?.outcome).toBe("created");
  await play(folder, 2000);
  await control("start");
  // Where the swap begins, found in a run that is told to die too late.
  const restore: RunRequest = { operation: "restore", allow: [] };
  const whole = await run(restore, 0);
  const swap = whole.steps.findIndex((step) => /^rename .*_autosave1\.zip to .*replaced/.test(step));
  expect(swap).toBeGreaterThan(0);
  await run({ operation: "undo" }, 0);
  const killed = await run(restore, swap + 2);
  expect(killed.signal).toBe("SIGKILL");
  await expect(control("status")).rejects.toThrow();

  const config = await loadConfig(configPath, await loadAppTypes());
  expect(await findAbandoned(config, localPlace(config))).toEqual(["factorio"]);
  const backup = await loadFunction("backup-factorio", { configPath, log });
  const server = serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => backup.fetch(new Request(request.url.replace("/function/backup-factorio", "/"), request)),
  });
  await vi.waitFor(() => expect(server.listening).toBe(true));
  const { port } = server.address() as { port: number };
  const stop = startReconcile({ config, gatewayUrl: `http://127.0.0.1:${port}`, token, log });
  try {
    const told = () => hasOutcome(openNas(nas).app("factorio"), killed.id);
    await vi.waitFor(async () => expect(await told()).toBe(true), { timeout: 20_000, interval: 100 });
  } finally {
    stop();
    server.close();
  }
  await control("status");
  expect((await readState(join(saves, "_autosave1.zip"))).tick).toBe(2000);
  await expect(access(join(saves, "homelab.zip"))).rejects.toThrow();
  await vi.waitFor(async () => expect(await findAbandoned(config, localPlace(config))).toEqual([]), {
    timeout: 20_000,
    interval: 100,
  });
});
