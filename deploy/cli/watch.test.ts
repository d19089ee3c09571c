import { afterEach, beforeEach, expect, test } from "vitest";
import type { Timing } from "./client.ts";
import { Client } from "./client.ts";
import { FakeTerminal } from "./testing/fake-terminal.ts";
import { endedRun, type FakeRun, FunctionsServer, progress } from "./testing/functions-server.ts";
import { startAndWatch } from "./watch.ts";

const timing: Timing = { backOffMs: [1], idleMs: 5_000, giveUpMs: 5_000, answerMs: 5_000 };
const target = { fn: "backup-factorio", app: "factorio", label: "Factorio" };
const request = { operation: "backup", app: "factorio", allow: [] } as const;
const created = () => endedRun("r1", "factorio", { outcome: "created" });

let server: FunctionsServer;
let client: Client;
beforeEach(async () => {
  server = new FunctionsServer();
  client = new Client({ url: await server.listen(), from: "the test", own: false }, "secret", timing);
});
afterEach(() => server.close());

/** A run that goes on until it is cancelled, or `finish` is called. */
function endless(): FakeRun & { finish: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const run = { lines: [progress(1_000_000)], ended: created(), until: promise, finish: resolve };
  server.onCancel = () => {
    run.ended = endedRun("r1", "factorio", { outcome: "cancelled" });
    resolve();
  };
  return run;
}

const begin = (terminal: FakeTerminal) =>
  startAndWatch({ client, terminal, clock: () => ({ nowMs: Date.now(), timeZone: "UTC" }) }, target, {
    ...request,
    allow: [],
  });

async function shown(terminal: FakeTerminal): Promise<void> {
  await expect.poll(() => [...terminal.drawn, ...terminal.stderr].join()).toContain("copying");
}

test("startAndWatch() shows a bar with share, rate and time left", async () => {
  server.starts202("backup-factorio", {
    lines: [progress(0), progress(1_000_000), progress(2_000_000, undefined, "verifying")],
    ended: created(),
  });
  const terminal = new FakeTerminal();
  expect((await begin(terminal)).status).toBe("created");
  expect(terminal.drawn.at(-1)).toBe("Factorio  [##########----------]  verifying  50 %  2.0 MB of 4.0 MB");
  expect(terminal.stdout).toEqual([expect.stringMatching(/^Factorio {2}created/)]);
});

test("startAndWatch() opens a connection that is cut again after the last line, until the outcome", async () => {
  const lines = Array.from({ length: 7 }, (_, i) => progress(i * 1000, 7000, `phase ${i}`));
  server.starts202("backup-factorio", { lines, ended: created(), cutAfter: 2 });
  const terminal = new FakeTerminal(false);
  expect((await begin(terminal)).status).toBe("created");
  // Every line once, in order, and not a word about the connection.
  expect(terminal.stderr.map((line) => line.split("  ")[1])).toEqual(lines.map((_, i) => `phase ${i}`));
  const opened = server.received.filter(({ headers }) => headers.accept === "text/event-stream");
  expect(opened.map(({ headers }) => headers["last-event-id"])).toEqual([undefined, "0-2", "0-4", "0-6"]);
});

test("startAndWatch() sends the same call again when a gateway failed in between", async () => {
  server.answers("backup-factorio", "hang up");
  server.answers("backup-factorio", { status: 502, body: "bad gateway" });
  client = new Client(client.gateway, "secret", { ...timing, backOffMs: [1, 1] });
  server.starts202("backup-factorio", { lines: [], ended: created() });
  expect((await begin(new FakeTerminal())).status).toBe("created");
  const keys = server.posts("backup-factorio").map(({ headers }) => headers["idempotency-key"]);
  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
});

test("startAndWatch() on Ctrl-C asks, and cancels when told to", async () => {
  server.starts202("backup-factorio", endless());
  const terminal = new FakeTerminal();
  const ending = begin(terminal);
  await shown(terminal);
  terminal.press();
  expect(await terminal.asked()).toContain("Leave the run going, or cancel it?");
  terminal.type("c");
  await expect(ending).rejects.toMatchObject({ exit: 130 });
  expect(server.received.map(({ method }) => method)).toContain("DELETE");
  expect(terminal.stderr.join("\n")).toContain("Factorio  cancelled");
});

test("startAndWatch() on Ctrl-C leaves the run going unless told to cancel, and says how to find it", async () => {
  server.starts202("backup-factorio", endless());
  const terminal = new FakeTerminal();
  const ending = begin(terminal);
  await shown(terminal);
  terminal.press();
  await terminal.asked();
  terminal.type("");
  await expect(ending).rejects.toMatchObject({ exit: 130, hint: expect.stringContaining("make cancel-factorio") });
  expect(server.received.map(({ method }) => method)).not.toContain("DELETE");
});

test("startAndWatch() on a second Ctrl-C leaves the run going at once", async () => {
  server.starts202("backup-factorio", endless());
  const terminal = new FakeTerminal();
  const ending = begin(terminal);
  await shown(terminal);
  terminal.press();
  await terminal.asked();
  terminal.press();
  await expect(ending).rejects.toMatchObject({ exit: 130 });
  expect(server.received.map(({ method }) => method)).not.toContain("DELETE");
});

test("startAndWatch() takes its question back when the run ends before the answer", async () => {
  const run = endless();
  server.starts202("backup-factorio", run);
  const terminal = new FakeTerminal();
  const ending = begin(terminal);
  await shown(terminal);
  terminal.press();
  await terminal.asked();
  run.finish();
  expect((await ending).status).toBe("created");
});

test("startAndWatch() without a terminal leaves the run going on SIGTERM", async () => {
  server.starts202("backup-factorio", endless());
  const terminal = new FakeTerminal(false);
  const ending = begin(terminal);
  await shown(terminal);
  terminal.press("SIGTERM");
  await expect(ending).rejects.toMatchObject({ exit: 143 });
});

test("startAndWatch() gives a silent connection up and asks for the run itself", async () => {
  client = new Client(client.gateway, "secret", { ...timing, idleMs: 30 });
  const run = endless();
  server.starts202("backup-factorio", run);
  const terminal = new FakeTerminal();
  const ending = begin(terminal);
  await expect
    .poll(() => server.received.filter(({ headers }) => headers.accept === "text/event-stream").length)
    .toBeGreaterThan(1);
  run.finish();
  expect((await ending).status).toBe("created");
});

test("startAndWatch() says whose run it joined", async () => {
  server.starts202("backup-factorio", { lines: [], ended: { ...created(), startedBy: "cron", joined: true } });
  const terminal = new FakeTerminal();
  await begin(terminal);
  expect(terminal.stderr[0]).toMatch(/joining the backup that cron started/);
});
