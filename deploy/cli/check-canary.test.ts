import { afterEach, beforeEach, expect, test } from "vitest";
import { checkCanaries } from "./check-canary.ts";
import { Client } from "./client.ts";
import { appView, endedRun, FunctionsServer, problem } from "./testing/functions-server.ts";

const types = [{ type: "factorio", backup: "backup-factorio", restore: "restore-factorio" }];
let server: FunctionsServer;
let client: Client;
beforeEach(async () => {
  server = new FunctionsServer();
  client = new Client({ url: await server.listen(), from: "here", own: false }, "secret");
  server.apps("backup-factorio", appView("factorio", "Factorio"));
});
afterEach(() => server.close());

const canaries = () => Array.fromAsync(checkCanaries(client, types, ["factorio"]));
const flushed = endedRun("r1", "factorio", { outcome: "flushed", operation: "flush" });

test("checkCanaries() makes a run that changes nothing, and wants to see its outcome on the NAS", async () => {
  server.starts202("backup-factorio", { lines: [], ended: flushed });
  const seen = { status: 200, body: { function: "backup-factorio", type: "factorio", apps: [] as unknown[] } };
  const view = appView("factorio", "Factorio");
  seen.body.apps = [view];
  server.states.set("backup-factorio", seen);
  const checks = canaries();
  await expect.poll(() => server.received.filter(({ path }) => path === "/function/backup-factorio").length).toBe(3);
  seen.body.apps = [{ ...view, lastOutcome: flushed.outcome }];
  expect(await checks).toMatchObject([{ what: "factorio: canary run", ok: true }]);
  expect(server.posts("backup-factorio")[0]).toMatchObject({
    body: { operation: "flush", app: "factorio" },
    headers: { authorization: "Bearer secret" },
  });
});

test("checkCanaries() tells why a run did not go to its end, and what to do", async () => {
  const failure = {
    code: "job_cannot_start",
    message: "Cannot start: no image",
    hint: "Push it.",
    retryable: true,
  } as const;
  const ended = endedRun("r1", "factorio", { outcome: "failed", operation: "flush", failure });
  server.answers("backup-factorio", {
    status: 503,
    body: problem(503, "job_cannot_start", "no image", { run: ended }),
  });
  expect(await canaries()).toEqual([
    { what: "factorio: canary run", ok: false, found: "Cannot start: no image", remedy: "Push it." },
  ]);
});

test("checkCanaries() does not wait for the run that is at work on the app", async () => {
  const running = {
    runId: "r0",
    operation: "restore",
    startedBy: "make on kitchen",
    startedAt: "2026-01-01T00:00:00Z",
  };
  const body = problem(409, "app_busy", 'Cannot start: restore of "factorio" is running', { running });
  server.answers("backup-factorio", { status: 409, body });
  expect(await canaries()).toMatchObject([
    { ok: false, found: body.detail, remedy: "Once it has ended: make deploy CONFIG=…" },
  ]);
});

test("checkCanaries() makes no run where one would put something right, or where nobody knows the app", async () => {
  const left = ["it was stopped for a run, and not brought back"];
  server.apps("backup-factorio", appView("factorio", "Factorio", { left }));
  expect(await canaries()).toMatchObject([
    {
      ok: false,
      found: expect.stringContaining(left[0] ?? ""),
      remedy: expect.stringContaining("make backup-factorio"),
    },
  ]);
  server.apps("backup-factorio", appView("other", "Other"));
  expect(await canaries()).toMatchObject([{ ok: false, found: "not made: no function knows the app" }]);
  server.states.set("backup-factorio", { status: 503, body: problem(503, "nas_unreachable", "Cannot read the NAS") });
  expect(await canaries()).toMatchObject([{ ok: false, found: "not made: a function does not answer" }]);
  expect(server.posts("backup-factorio")).toEqual([]);
});
