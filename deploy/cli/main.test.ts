import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { appView, endedRun, FunctionsServer, problem, progress } from "./testing/functions-server.ts";

/* The client as a process, against functions that hold to the contract. */

const main = join(import.meta.dirname, "main.ts");
const present = { label: "4 saves", newerThanPoint: false };
const point = {
  id: "20251218-170005",
  takenAt: "2025-12-18T17:00:05.000Z",
  sizeBytes: 2_100_000,
  verified: true,
  files: ["factorio-20251218-170005.zip"],
  from: "/nas/factorio/backups/history/factorio-20251218-170005.zip",
};

let server: FunctionsServer;
let url: string;
let clone: string;

beforeEach(async () => {
  server = new FunctionsServer();
  url = await server.listen();
  clone = await mkdtemp(join(tmpdir(), "keepsake-cli-"));
  const functions = [
    "backup-factorio",
    "restore-factorio",
    "backup-postgresql",
    "restore-postgresql",
    "render-mapshot",
    "restore-mapshot",
    "cleanup-mapshot",
  ];
  await writeFile(join(clone, "stack.yml"), `functions:\n${functions.map((name) => `  ${name}: {}\n`).join("")}`);
  await writeFile(join(clone, "token"), "secret\n", { mode: 0o600 });
  server.apps("backup-factorio", appView("factorio", "Factorio"));
  server.apps("backup-postgresql", appView("postgresql", "PostgreSQL"));
});
afterEach(async () => {
  await server.close();
  await rm(clone, { recursive: true });
});

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** @param onStderr Sees what was written so far; may signal the process. */
function run(
  args: string[],
  env: Record<string, string> = {},
  onStderr?: (text: string, pid: number) => void,
): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], {
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      HOME: clone,
      TZ: "Europe/Berlin",
      KEEPSAKE_CLONE: clone,
      GATEWAY: url,
      TOKEN_FILE: join(clone, "token"),
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended: Ended = { code: null, stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => {
    ended.stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    ended.stderr += chunk;
    onStderr?.(ended.stderr, child.pid ?? 0);
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ ...ended, code })));
}

const planned = (app: string, plan: object) => ({
  status: 200,
  body: endedRun(`plan-${app}`, app, { outcome: "planned", operation: "plan", plan: { stopsApp: true, ...plan } }),
});

test("backup follows the run through a cut connection and ends with 0", async () => {
  const lines = [
    progress(0),
    progress(1_000_000, 4_000_000, "verifying"),
    progress(2_000_000, 4_000_000, "publishing"),
  ];
  server.starts202("backup-factorio", {
    lines,
    ended: endedRun("r1", "factorio", { outcome: "created" }),
    cutAfter: 1,
  });
  const { code, stdout, stderr } = await run(["backup", "factorio"]);
  expect(stdout).toMatch(/^Factorio {2}created/);
  expect(stderr).toMatch(/^Gateway: http:\/\/127.*\(from GATEWAY\)\n.*copying.*\n.*verifying.*\n.*publishing.*\n$/);
  expect(code).toBe(0);
  const [post] = server.posts("backup-factorio");
  expect(post?.body).toEqual({ operation: "backup", app: "factorio", allow: [] });
  expect(post?.headers).toMatchObject({
    authorization: "Bearer secret",
    prefer: "respond-async",
    "x-keepsake-client": /^make on /,
  });
});

test("backup of an app that is busy says who runs and since when, and ends with 1", async () => {
  const running = {
    runId: "r0",
    operation: "restore",
    startedBy: "make on mac",
    startedAt: new Date(Date.now() - 300_000).toISOString(),
  };
  const busy = problem(409, "app_busy", "Cannot start: restore is running", { running, hint: "make cancel-factorio" });
  server.answers("backup-factorio", { status: 409, body: busy });
  const { code, stderr } = await run(["backup", "factorio"]);
  expect(stderr).toContain("in progress: restore, started by make on mac, 5 min ago");
  expect(stderr).toContain("make cancel-factorio");
  expect(code).toBe(1);
});

test("backup --all carries on past a failure, sums up, and ends with 1", async () => {
  const failure = {
    code: "source_empty" as const,
    message: "the folder is empty",
    hint: "Look at the claim.",
    retryable: false,
  };
  const refused = endedRun("r1", "factorio", { outcome: "refused", failure });
  server.answers("backup-factorio", {
    status: 422,
    body: problem(422, "source_empty", "the folder is empty", { run: refused }),
  });
  server.starts202("backup-postgresql", { lines: [], ended: endedRun("r2", "postgresql", { outcome: "unchanged" }) });
  const { code, stdout, stderr } = await run(["backup", "--all"]);
  expect(stderr).toContain("Factorio  refused  the folder is empty");
  expect(stderr).toContain("Look at the claim.");
  expect(stdout).toMatch(/^PostgreSQL {2}unchanged {2}in 0\.4 s\n2 apps: 1 refused \(factorio\), 1 unchanged\n$/);
  expect(code).toBe(1);
});

test("SIGINT without a terminal leaves the run going, says how to follow and cancel it, and ends with 130", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.starts202("backup-factorio", {
    lines: [progress(0)],
    ended: endedRun("r1", "factorio", { outcome: "created" }),
    until: promise,
  });
  let pressed = false;
  const { code, stderr } = await run(["backup", "factorio"], {}, (text, pid) => {
    if (pressed || !text.includes("copying")) return;
    pressed = true;
    process.kill(pid, "SIGINT");
  });
  resolve();
  expect(stderr).toContain("make cancel-factorio");
  expect(stderr).toContain(`curl -N -H 'Accept: text/event-stream' '${url}/function/backup-factorio/runs/r1'`);
  expect(code).toBe(130);
});

test("restore without a terminal and without YES is refused with the remedy before anything is asked", async () => {
  const { code, stderr } = await run(["restore", "factorio"]);
  expect(stderr).toContain("YES=1");
  expect(code).toBe(1);
  expect(server.received).toEqual([]);
});

test("restore shows the plan, and restores exactly the point that it showed", async () => {
  server.answers("restore-factorio", planned("factorio", { point, present }));
  server.starts202("restore-factorio", { lines: [], ended: endedRun("r1", "factorio", { outcome: "restored" }) });
  const { code, stderr } = await run(["restore", "factorio"], { YES: "1", AT: "Thu 18:00", ALLOW: "superuser-owner" });
  expect(stderr).toContain("2025-12-18 17:00:05 UTC");
  expect(stderr).toContain("replaces  4 saves");
  expect(server.posts("restore-factorio").map(({ body }) => body)).toEqual([
    { operation: "plan", app: "factorio", at: "Thu 18:00", timeZone: "Europe/Berlin" },
    { operation: "restore", app: "factorio", at: "20251218-170005", allow: ["superuser-owner"] },
  ]);
  expect(code).toBe(0);
});

test("restore beside production asks nobody", async () => {
  server.answers("restore-factorio", planned("factorio", { point, present }));
  server.starts202("restore-factorio", {
    lines: [],
    ended: endedRun("r1", "factorio", { outcome: "restored", restoredTo: "/tmp/look" }),
  });
  const { code, stdout } = await run(["restore", "factorio"], { TO: "/tmp/look" });
  expect(server.posts("restore-factorio")[1]?.body).toMatchObject({ operation: "restore", to: "/tmp/look" });
  expect(stdout).toContain("→ /tmp/look");
  expect(code).toBe(0);
});

test("restore of one part tells the function which, in the plan and in the run", async () => {
  server.answers("restore-postgresql", planned("postgresql", { point, present }));
  server.starts202("restore-postgresql", {
    lines: [],
    ended: endedRun("r1", "postgresql", { outcome: "restored" }),
  });
  const { code } = await run(["restore", "postgresql"], { MODEL: "hf.co/user/repo:tag", YES: "1" });
  expect(server.posts("restore-postgresql").map(({ body }) => body)).toEqual([
    expect.objectContaining({ operation: "plan", only: "hf.co/user/repo:tag" }),
    expect.objectContaining({ operation: "restore", only: "hf.co/user/repo:tag" }),
  ]);
  expect(code).toBe(0);
});

test("backup and cleanup of a type whose functions have names of their own", async () => {
  server.apps("render-mapshot", appView("mapshot", "Mapshot"));
  const ended = endedRun("r1", "mapshot", { outcome: "postponed", message: "Mapshot: postponed: busy" });
  server.answers("render-mapshot", { status: 200, body: ended });
  expect(await run(["backup", "mapshot"])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("postponed: busy"),
  });
  const cleaned = endedRun("r2", "mapshot", { outcome: "cleaned", operation: "cleanup", message: "removed d-1" });
  server.answers("cleanup-mapshot", { status: 200, body: cleaned });
  expect(await run(["cleanup", "mapshot"])).toMatchObject({ code: 0, stdout: expect.stringContaining("removed d-1") });
  expect(server.posts("cleanup-mapshot")[0]?.body).toEqual({ operation: "cleanup", app: "mapshot" });
  expect(await run(["cleanup", "factorio"])).toMatchObject({ code: 2, stderr: expect.stringContaining("retention") });
});

test("pause takes how long, and resume ends it", async () => {
  server.answers("backup-factorio", { status: 200, body: endedRun("r1", "factorio", { outcome: "paused" }) });
  expect(await run(["pause", "factorio"], { FOR: "2h" })).toMatchObject({ code: 0 });
  expect(await run(["resume", "factorio"])).toMatchObject({ code: 0 });
  expect(server.posts("backup-factorio").map(({ body }) => body)).toEqual([
    { operation: "pause", app: "factorio", forSeconds: 7200 },
    { operation: "resume", app: "factorio" },
  ]);
  expect(await run(["pause", "factorio"])).toMatchObject({ code: 2, stderr: expect.stringContaining("FOR=2h") });
});

test("drill names the point, and ends with 0 only when it is proven; scrub says what it shall read", async () => {
  const finding = {
    compared: [],
    hindrance: { code: "tool_missing" as const, message: "no server", hint: "Install it.", retryable: false },
  };
  const open = {
    outcome: "inconclusive" as const,
    operation: "drill",
    message: "Factorio: nothing was proven: no server",
    drill: finding,
  };
  server.answers("restore-factorio", {
    status: 200,
    body: endedRun("r1", "factorio", { outcome: "proven", operation: "drill" }),
  });
  server.answers("restore-factorio", { status: 200, body: endedRun("r2", "factorio", open) });
  expect(await run(["drill", "factorio"])).toMatchObject({ code: 0 });
  expect(await run(["drill", "factorio"], { AT: "20251218-170005" })).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/inconclusive .*nothing was proven: no server .*\n {2}Install it\./),
  });
  expect(server.posts("restore-factorio").map(({ body }) => body)).toEqual([
    { operation: "drill", app: "factorio" },
    { operation: "drill", app: "factorio", at: "20251218-170005", timeZone: expect.any(String) },
  ]);
  server.answers("backup-factorio", {
    status: 200,
    body: endedRun("r3", "factorio", { outcome: "scrubbed", operation: "scrub" }),
  });
  for (const ALL of ["", "1"]) expect(await run(["scrub", "factorio"], { ALL })).toMatchObject({ code: 0 });
  expect(server.posts("backup-factorio").map(({ body }) => body.all)).toEqual([false, true]);
});

test("restore of a point that is not there says so and changes nothing", async () => {
  const failure = {
    code: "not_found" as const,
    message: "Cannot go back to 1999",
    hint: "make list-factorio",
    retryable: false,
  };
  const run404 = endedRun("plan", "factorio", { outcome: "refused", operation: "plan", failure });
  server.answers("restore-factorio", {
    status: 404,
    body: problem(404, "not_found", "Cannot go back to 1999", { run: run404 }),
  });
  const { code, stderr } = await run(["restore", "factorio", "--at", "1999-01-01", "--yes"]);
  expect(stderr).toContain("Cannot go back to 1999\n  make list-factorio");
  expect(server.posts("restore-factorio")).toHaveLength(1);
  expect(code).toBe(1);
});

test("restore-all shows one plan, keeps newer data, skips what has no backup, carries on past a failure", async () => {
  server.apps("render-mapshot", appView("mapshot", "Mapshot"), appView("second", "Mapshot"));
  server.answers("restore-factorio", planned("factorio", { point, present: { ...present, newerThanPoint: true } }));
  server.answers("restore-postgresql", planned("postgresql", { point }));
  const failure = { code: "restore_failed" as const, message: "no space", retryable: false };
  server.starts202("restore-postgresql", {
    lines: [],
    ended: endedRun("r2", "postgresql", { outcome: "failed", failure }),
  });
  server.answers("restore-mapshot", planned("mapshot", {}));
  server.answers("restore-mapshot", planned("second", { point, present }));
  server.starts202("restore-mapshot", { lines: [], ended: endedRun("r3", "second", { outcome: "restored" }) });
  const { code, stdout, stderr } = await run(["restore-all"], { YES: "1" });
  expect(stderr).toMatch(/Factorio +keep /);
  expect(stderr).toMatch(/Mapshot +skip +- +- +there is no backup/);
  expect(stdout).toContain("4 apps: 1 kept (factorio), 1 skipped (mapshot), 1 failed (postgresql), 1 restored");
  expect(server.posts("restore-factorio")).toHaveLength(1);
  expect(code).toBe(1);
});

test("restore-all replaces newer data of an app that APPS names", async () => {
  server.states.delete("backup-postgresql");
  server.answers("restore-factorio", planned("factorio", { point, present: { ...present, newerThanPoint: true } }));
  server.starts202("restore-factorio", { lines: [], ended: endedRun("r1", "factorio", { outcome: "restored" }) });
  expect(await run(["restore-all"], { YES: "1", APPS: "factorio" })).toMatchObject({ code: 0 });
  expect(server.posts("restore-factorio")).toHaveLength(2);
  expect(await run(["restore-all"], { YES: "1", APPS: "factoryo" })).toMatchObject({ code: 2 });
});

test("cancel ends the run in progress, whoever started it", async () => {
  const running = { runId: "r7", operation: "backup", startedBy: "cron", startedAt: "2025-12-19T22:00:00Z" };
  server.apps("backup-factorio", appView("factorio", "Factorio", { running }));
  const { promise, resolve } = Promise.withResolvers<void>();
  server.runs.set("r7", { lines: [], ended: endedRun("r7", "factorio", { outcome: "cancelled" }), until: promise });
  server.onCancel = () => resolve();
  const { code, stderr } = await run(["cancel", "factorio"]);
  expect(stderr).toContain("Factorio  cancelled");
  expect(code).toBe(0);
});

test("status goes on past a function whose NAS is away, and ends with 1", async () => {
  const away = problem(503, "nas_unreachable", "Cannot read the NAS", { hint: "Mount it.", retryable: true });
  server.states.set("backup-postgresql", { status: 503, body: away });
  const { code, stdout, stderr } = await run(["status"]);
  expect(stdout).toMatch(/^Factorio {2}no good backup yet {2}0 restore points {2}idle\n$/);
  expect(stderr).toContain("backup-postgresql  failed  Cannot read the NAS\n  Mount it.");
  expect(code).toBe(1);
});

test("doctor names each problem with its remedy", async () => {
  await writeFile(join(clone, "wrong"), "other\n", { mode: 0o644 });
  const { code, stdout } = await run(["doctor"], { TOKEN_FILE: join(clone, "wrong") });
  expect(stdout).toMatch(/ok +Node: /);
  expect(stdout).toMatch(/ok +backup-factorio: 1 app, the NAS answers/);
  expect(stdout).toMatch(/PROBLEM +restore-factorio: not deployed on this gateway\n +Deploy/);
  expect(stdout).toContain(`chmod 600 '${join(clone, "wrong")}'`);
  expect(stdout).toMatch(/PROBLEM +token: backup-factorio does not accept it\n +.*TOKEN_FILE/);
  expect(stdout).toMatch(/PROBLEM +status: not deployed on this gateway\n +Deploy/);
  expect(code).toBe(1);
});

test("doctor says what the page says first", async () => {
  const sentence = "All is well: 2 apps";
  server.states.set("status", { status: 200, body: { overall: { level: "safe", sentence } } });
  expect((await run(["doctor"])).stdout).toContain(`ok       status: ${sentence}\n`);
});

test("doctor tells whether people are told", async () => {
  const well = { function: "notify", configured: true, nats: { connected: true }, waiting: 2, channels: [{ name: "telegram", role: "main" }] };
  const says = async (changes: object) => {
    server.states.set("notify", { status: 200, body: { ...well, ...changes } });
    return (await run(["doctor"])).stdout;
  };
  expect(await says({})).toMatch(/ok +notify: telegram; 2 events to tell\n/);
  expect(await says({ configured: false, channels: [] })).toMatch(/ok +notify: no channel is set up, .*\n +To be told/);
  const refusing = { since: "2025-12-19T18:00:00Z", why: "Telegram answered 401", hint: "Take another token.", permanent: true, nextTryAt: "" };
  expect(await says({ channels: [{ name: "telegram", role: "main", refusing }] })).toMatch(
    /PROBLEM +notify: telegram refuses since 2025-12-19T18:00:00Z: Telegram answered 401\n +Take another token\.\n +Then: make test-telegram\n/,
  );
  expect(await says({ nats: { connected: false, why: "it is away" } })).toMatch(/PROBLEM +notify: events do not come: it is away/);
  const parked = [{ id: "1", subject: "backups.failed", why: "odd", parkedAt: "" }];
  expect(await says({ parked })).toMatch(/PROBLEM +notify: 1 event put aside\n +make retry-parked/);
}); // biome-ignore format: one line reads better

test.each([
  [["no-such-command"], {}, 2, "restore-all"],
  [["backup"], {}, 2, "--all"],
  [["list", "factoryo"], {}, 2, "factorio, postgresql"],
  [["pin", "factorio"], {}, 2, "AT="],
  [["list", "factorio"], { GATEWAY: "nas" }, 2, "http://127.0.0.1:8080"],
  [["list", "factorio"], { GATEWAY: "http://127.0.0.1:9" }, 3, "Cannot reach the gateway"],
  [["list", "factorio"], { GATEWAY: "" }, 3, "make up"],
])("%j with %j ends with %d and says %s", async (args, env, code, text) => {
  const ended = await run(args, env);
  expect(ended).toMatchObject({ code });
  expect(ended.stderr).toContain(text);
});

test("--help and help tell options, variables and exit statuses", async () => {
  expect((await run(["restore", "--help"])).stdout).toMatch(/--at TIME +AT +/);
  expect((await run(["help"])).stdout).toMatch(/130 +interrupted/);
});

test("keepsake test-telegram says what each channel answered, and fails when one has not taken it", async () => {
  server.answers("notify", { status: 200, body: { channels: [{ name: "telegram", messageId: "7", notes: ["gone"] }] } });
  expect(await run(["test-telegram"])).toMatchObject({ code: 0, stdout: "telegram  took it, as message 7\n  gone\n" });
  expect(server.posts("notify")[0]).toMatchObject({
    body: { operation: "test" },
    headers: { authorization: "Bearer secret" },
  });
  const refused = problem(502, "message_refused", "telegram has not taken it: Telegram answered 401 Unauthorized", {
    hint: "Take the bot's token from @BotFather.",
  });
  server.starts.set("notify", [{ status: 502, body: refused }]);
  const { code, stderr } = await run(["test-telegram"]);
  expect(code).toBe(1);
  expect(stderr).toContain("Telegram answered 401 Unauthorized\n  Take the bot's token from @BotFather.\n");
}); // biome-ignore format: one line reads better

test("keepsake retry-parked says how many events will be told", async () => {
  server.answers("notify", { status: 200, body: { retried: 2 } });
  server.answers("notify", { status: 200, body: { retried: 0 } });
  expect((await run(["retry-parked"])).stdout).toBe("2 events will be told.\n");
  expect((await run(["retry-parked"])).stdout).toBe("Nothing that was put aside can be told.\n");
});
