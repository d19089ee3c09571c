import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { Failure, type FailureCode, failures } from "../failures.ts";
import { markDamage } from "../nas/damage.ts";
import { markerPath } from "../nas/nas.ts";
import { listPoints, type RestorePoint } from "../nas/points.ts";
import type { RunDescription } from "../run/description.ts";
import { stampOf, writeDrillMemory } from "../run/drill-state.ts";
import { takeLock } from "../run/lock.ts";
import { localPlace, type PlaceView } from "../run/place.ts";
import { ownIdentity } from "../run/process-identity.ts";
import { type Outcome, Problem, RunView, StateView } from "../run/report.ts";
import { writeScrubMemory } from "../run/scrub-state.ts";
import { boxArtefact, boxConfig, describeOutcome, describeRun, makeNas, makePoint, silentLog, tempFolder, testDisk } from "../testing.ts"; // biome-ignore format: one line reads better
import { appFunction } from "./app-function.ts";
import { tokenSecret } from "./authorize.ts";
import { MemoryRuns } from "./memory-runs.ts";

const token = "correct-horse-battery-staple";
const bearer = { authorization: `Bearer ${token}` };
const json = { accept: "application/json" };
const later = { prefer: "respond-async" };
const progress = {
  type: "progress",
  at: "2025-12-19T18:00:00Z",
  phase: "copying",
  doneBytes: 1,
  totalBytes: 4,
} as const;

/** Functions over a marked NAS; a run ends at once as `end` says, or goes on when that is undefined. */
async function lab(settings = "") {
  const root = await tempFolder();
  await Promise.all(["nas", "secrets"].map((name) => mkdir(join(root, name))));
  const { folders } = await makeNas(join(root, "nas"));
  await writeFile(join(root, "secrets", tokenSecret), token);
  const text = `nas: ./nas\nsecrets: ./secrets\nstate: ./state\nnasTimeoutSeconds: 0.3\n${settings}`;
  const config = boxConfig(join(root, "keepsake.yaml"), text);
  const runs = new MemoryRuns();
  const world = {
    root,
    folders,
    runs,
    place: localPlace(config) as PlaceView,
    end: undefined as ((run: RunDescription) => Partial<Outcome>) | undefined,
    functionOf: (name: string, kind: "backup" | "restore" | "cleanup") =>
      appFunction({
        place: {
          lockHolder: (...of) => world.place.lockHolder(...of),
          isStopped: (app) => world.place.isStopped(app),
          lost: (app) => world.place.lost(app),
        },
        name,
        kind,
        type: "box",
        config,
        runs,
        log: silentLog,
        now: () => Date.parse("2025-12-19T18:00:00Z"),
      }),
  };
  runs.onStart = (run) => (world.end ? [progress, describeOutcome(run, world.end(run))] : []);
  const [backup, restore] = [world.functionOf("backup-box", "backup"), world.functionOf("restore-box", "restore")];
  const post = (body: object = {}, headers: Record<string, string> = {}) =>
    backup.request("/", { method: "POST", body: JSON.stringify(body), headers });
  const get = (path = "/", headers: Record<string, string> = {}) => backup.request(path, { headers });
  return { ...world, world, backup, restore, post, get };
}

const created = () => ({ outcome: "created" as const, point: { id: "20251219-180000", takenAt: "2025-12-19T18:00:00Z", files: [{ name: "box-20251219-180000.box", sizeBytes: 4, sha256: "ab" }] } }); // biome-ignore format: one line reads better
const failing = (code: FailureCode) => () => ({
  outcome: failures[code].outcome,
  failure: { code, message: `Cannot back up Box: ${code}`, hint: "Look there.", retryable: failures[code].retryable },
});

const twoApps = "apps:\n  box: {}\n  second-box: {type: box}\n";

test("POST / answers with the outcome: lines for a person, JSON for who asks for it", async () => {
  const { world, post, runs } = await lab();
  world.end = created;
  const response = await post({}, { "x-call-id": "1" });
  expect(response.status).toBe(200);
  const [run] = runs.started;
  expect(run).toMatchObject({ function: "backup-box", app: "box", startedAt: "2025-12-19T18:00:00.000Z" });
  expect(run?.request).toEqual({ operation: "backup", app: "box", allow: [] });
  expect(response.headers.get("location")).toBe(`/function/backup-box/runs/${run?.id}`);
  expect(await response.text()).toBe(
    "box: created in 1.0 s. Box: made and verified\n  box-20251219-180000.box  4 bytes  sha256 ab\n",
  );
  const view = RunView.parse(await (await post({}, json)).json());
  expect(view).toMatchObject({ status: "created", app: "box", operation: "backup", outcome: { outcome: "created" } });
});

test("POST / answers with the status of every failure, and with the run in the problem", async () => {
  for (const code of Object.keys(failures) as FailureCode[]) {
    const { world, post } = await lab();
    world.end = failing(code);
    const response = await post({}, json);
    expect([code, response.status]).toEqual([code, failures[code].status]);
    const problem = Problem.parse(await response.json());
    expect(problem).toMatchObject({ code, run: { status: failures[code].outcome } });
    expect(response.headers.get("x-run-id")).toBe(problem.run?.id);
    if (code !== "internal")
      expect(await (await post()).text()).toContain(`Cannot back up Box: ${code}\nLook there.\n`);
  }
});

test("POST / answers 202 and where to follow the run when it goes on", async () => {
  const { post, get, runs } = await lab();
  const response = await post({}, { ...later, ...json });
  expect(response.status).toBe(202);
  const { id, status } = RunView.parse(await response.json());
  expect(status).toBe("running");
  const path = (response.headers.get("location") ?? "").replace("/function/backup-box", "");
  expect(path).toBe(`/runs/${id}`);
  runs.tell(id, progress);
  expect(await (await get(path)).text()).toMatch(
    /^backup of box is running since .*, started by an HTTP call, copying 25 % of 4 bytes\n/,
  );
  runs.tell(id, describeOutcome(runs.started[0] as RunDescription, created()));
  expect(RunView.parse(await (await get(path, json)).json())).toMatchObject({ status: "created", outcome: created() });
  expect(await (await get(path)).text()).toContain("box: created");
});

test("POST / waits for the outcome as long as Prefer says", async () => {
  const { post, runs } = await lab();
  const waiting = post({}, { prefer: "wait=20", ...json });
  await expect.poll(() => runs.started.length).toBe(1);
  runs.tell(runs.started[0]?.id as string, progress, describeOutcome(runs.started[0] as RunDescription, created()));
  expect((await waiting).status).toBe(200);
  const { post: other } = await lab();
  expect((await other({}, { prefer: "wait=0" })).status).toBe(202);
});

test("POST / joins the same request that is in progress, and says who started it", async () => {
  const { post, runs } = await lab();
  const first = RunView.parse(await (await post({}, { ...later, ...json, "x-connector": "cron-connector" })).json());
  for (const body of [{}, { operation: "backup" }, { app: "box", allow: [] }]) {
    const response = await post(body, { ...later, ...json });
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ id: first.id, joined: true, startedBy: "cron" });
  }
  expect(runs.started).toHaveLength(1);
});

test("POST / answers 409 to another request of the same app, with who is running and since when", async () => {
  const { post, restore, runs } = await lab();
  await post({}, { ...later, "x-keepsake-client": "make on kitchen-mac" });
  const [running] = runs.started;
  const asked = { operation: "restore" };
  const response = await restore.request("/", {
    method: "POST",
    body: JSON.stringify(asked),
    headers: { ...bearer, ...json },
  });
  expect(response.status).toBe(409);
  expect(Problem.parse(await response.json())).toMatchObject({
    code: "app_busy",
    hint: expect.stringContaining("make cancel-box"),
    running: {
      runId: running?.id,
      operation: "backup",
      startedBy: "make on kitchen-mac",
      startedAt: running?.startedAt,
    },
  });
  const pin = await post({ operation: "pin", at: "latest" }, bearer);
  expect([pin.status, await pin.text()]).toEqual([
    409,
    expect.stringMatching(/make on kitchen-mac.*\n.*make cancel-box/),
  ]);
  expect(runs.started).toHaveLength(1);
});

test("POST / of a cleanup waits for the run in progress, whose event has woken it", async () => {
  const { post, functionOf, runs, world } = await lab();
  await post({}, later);
  const [render] = runs.started as [RunDescription];
  const event = { specversion: "1.0", id: `${render.id}.rendered`, data: { app: "another" } };
  const wake = (headers: Record<string, string> = {}) =>
    functionOf("cleanup-box", "cleanup").request("/", { method: "POST", body: JSON.stringify(event), headers });
  expect((await wake(later)).status).toBe(409);
  expect((await wake({ prefer: "wait=1" })).status).toBe(409);
  const waiting = wake({ "x-connector": "connector-sdk", "x-topic": "mapshot.rendered" });
  world.end = () => ({ outcome: "cleaned" });
  runs.tell(render.id, describeOutcome(render));
  expect((await waiting).status).toBe(200);
  expect(runs.started.at(-1)).toMatchObject({
    app: "box",
    request: { operation: "cleanup", app: "box" },
    startedBy: "event mapshot.rendered",
  });
});

test("POST / of a cleanup waits for a run of another machine, too", async () => {
  const { functionOf, folders, world } = await lab();
  const elsewhere = describeRun({ id: "backup-box-elsewhere" });
  const lock = await takeLock(folders.locks, elsewhere, { ...(await ownIdentity()), host: "another" }, testDisk());
  world.end = () => ({ outcome: "cleaned" });
  const waiting = functionOf("cleanup-box", "cleanup").request("/", { method: "POST" });
  await lock.release();
  expect((await waiting).status).toBe(200);
});

test("POST / knows a run that another function, or another machine, started from the lock on the NAS", async () => {
  const { post, folders, runs } = await lab();
  const elsewhere = describeRun({ id: "backup-box-elsewhere", startedBy: "another machine" });
  const lock = await takeLock(folders.locks, elsewhere, { ...(await ownIdentity()), host: "another" }, testDisk());
  const busy = await post();
  expect([busy.status, await busy.text()]).toEqual([409, expect.stringContaining("another machine")]);
  await lock.release();
  expect((await post({}, later)).status).toBe(202);
  expect(runs.started).toHaveLength(1);
});

test("POST / starts a run over the lock of a dead process, which the run then takes over", async () => {
  const { post, folders, runs } = await lab();
  await takeLock(folders.locks, describeRun(), { ...(await ownIdentity()), started: "0" }, testDisk());
  expect((await post({}, later)).status).toBe(202);
  expect(runs.started).toHaveLength(1);
});

test("POST / answers a second delivery of one call with the first one's run, also after its end (a redelivery ran a long job twice elsewhere)", async () => {
  for (const header of ["x-call-id", "idempotency-key"]) {
    const { world, post, runs } = await lab();
    const call = { [header]: "7f1c", ...json };
    const first = RunView.parse(await (await post({}, { ...later, ...call })).json());
    expect(await (await post({}, { ...later, ...call })).json()).toMatchObject({
      id: first.id,
      joined: true,
      status: "running",
    });
    runs.tell(first.id, describeOutcome(runs.started[0] as RunDescription, created()));
    for (const body of [{}, { operation: "backup", app: "box" }]) {
      expect(await (await post(body, call)).json()).toMatchObject({ id: first.id, joined: true, status: "created" });
    }
    expect(runs.started).toHaveLength(1);
    world.end = created;
    expect((await (await post({}, { ...json, [header]: "7f1d" })).json()).id).not.toBe(first.id);
  }
});

test("POST / starts one run when two deliveries of one call arrive together", async () => {
  const { post, runs } = await lab();
  const answers = await Promise.all([1, 2, 3].map(() => post({}, { ...later, ...json, "x-call-id": "7f1c" })));
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
  expect(new Set(await Promise.all(answers.map(async (answer) => (await answer.json()).id))).size).toBe(1);
  expect(runs.started).toHaveLength(1);
});

test("POST / without an app runs all apps of the type as one parent run, with the worst status", async () => {
  const { world, post, get, runs } = await lab(twoApps);
  world.end = ({ app }) => (app === "box" ? { outcome: "unchanged" } : created());
  const good = RunView.parse(await (await post({}, { ...json, "x-call-id": "1" })).json());
  expect(good).toMatchObject({
    status: "created",
    runs: [
      { app: "box", status: "unchanged" },
      { app: "second-box", status: "created" },
    ],
  });
  expect(runs.started.map(({ id }) => id)).toEqual([`${good.id}.box`, `${good.id}.second-box`]);
  expect(RunView.parse(await (await get(`/runs/${good.id}`, json)).json())).toMatchObject({
    id: good.id,
    status: "created",
  });
  expect(await (await get(`/runs/${good.id}`)).text()).toMatch(/^box: unchanged.*\nsecond-box: created/);

  world.end = (run) => (run.app === "box" ? failing("source_empty")() : failing("no_space")());
  const bad = await post({}, { ...json, "x-call-id": "2" });
  expect(bad.status).toBe(507);
  expect(Problem.parse(await bad.json())).toMatchObject({
    code: "no_space",
    run: { status: "failed", runs: [{ status: "refused" }, { status: "failed" }] },
  });

  const again = await post({}, { ...json, "x-call-id": "1" });
  expect(await again.json()).toMatchObject({ id: good.id, joined: true });
  expect(runs.started).toHaveLength(4);
});

test("POST / answers 202 while one run of a parent goes on", async () => {
  const { post, runs } = await lab(twoApps);
  runs.onStart = (run) => (run.app === "box" ? [describeOutcome(run)] : []);
  const response = await post({}, { ...json, ...later });
  expect([response.status, (await response.json()).status]).toEqual([202, "running"]);
});

test("POST / takes one app by its name, and refuses one that there is not", async () => {
  const { world, post, runs } = await lab(twoApps);
  world.end = created;
  expect(await (await post({ app: "second-box" }, json)).json()).toMatchObject({
    app: "second-box",
    status: "created",
  });
  const unknown = await post({ app: "third-box" });
  expect([unknown.status, await unknown.text()]).toEqual([400, expect.stringContaining("one of box, second-box")]);
  expect(runs.started).toHaveLength(1);
});

test("POST / refuses a restore, an undo, a pin or an accept that names no app when there are several", async () => {
  const { post, restore, runs } = await lab(twoApps);
  for (const operation of ["restore", "undo", "plan"]) {
    const response = await restore.request("/", {
      method: "POST",
      body: JSON.stringify({ operation }),
      headers: bearer,
    });
    expect([operation, response.status]).toEqual([operation, 400]);
  }
  for (const body of [{ operation: "accept" }, { operation: "pin", at: "latest" }])
    expect((await post(body, bearer)).status).toBe(400);
  expect(runs.started).toEqual([]);
});

test("POST / asks for the bearer token before anything dangerous, and before it tells of an earlier run", async () => {
  const { world, post, restore, runs } = await lab();
  world.end = created;
  const ask = (body: object, headers: Record<string, string>) =>
    "at" in body || "allow" in body
      ? post(body, headers)
      : restore.request("/", { method: "POST", body: JSON.stringify(body), headers });
  for (const body of [
    { operation: "restore" },
    { operation: "undo" },
    { operation: "backup", allow: ["smaller"] },
    { operation: "pin", at: "x" },
  ]) {
    const call = { "x-call-id": JSON.stringify(body) };
    for (const authorization of ["", "Bearer wrong", `Basic ${token}`]) {
      const response = await ask(body, { ...call, authorization });
      expect([JSON.stringify(body), response.status]).toEqual([JSON.stringify(body), 401]);
      expect(await response.text()).not.toContain(token);
    }
    expect((await ask(body, { ...call, ...bearer })).status).toBe(200);
    expect((await ask(body, call)).status).toBe(401);
  }
  expect(runs.started).toHaveLength(4);
  expect((await post({ operation: "backup" })).status).toBe(200);
});

test("POST / says in the run whether its call carried the token", async () => {
  const { post, world, runs } = await lab();
  world.end = created;
  for (const headers of [{}, bearer, { authorization: "Bearer wrong" }]) await post({}, headers);
  expect(runs.started.map(({ authorised }) => authorised)).toEqual([undefined, true, undefined]);
});

test("GET / says when each point was read back and proven restorable, and which counts for nothing", async () => {
  const { get, folders } = await lab();
  const ids = ["20251218-180000", "20251219-180000"] as const;
  const [older, newer] = [
    await makePoint(folders, ids[0], { sequence: 1 }),
    await makePoint(folders, ids[1], { sequence: 2 }),
  ];
  const [file] = older.files as [(typeof older.files)[number]];
  const [at, disk] = ["2025-12-19T12:00:00.000Z", testDisk()];
  await mkdir(folders.scrub, { recursive: true });
  await mkdir(folders.drill, { recursive: true });
  const entry = { seenAtMs: 0, readAtMs: Date.parse(at), ok: true, sha256: file.sha256 };
  await writeScrubMemory(folders, { version: 1, creditBytes: 0, files: { [`history/${file.name}`]: entry } }, disk);
  const [point] = await listPoints(folders, [boxArtefact]);
  const drilled = { stamp: stampOf(point as RestorePoint), at, proven: true, tookMs: 400 };
  await writeDrillMemory(folders, { version: 1, drills: 1, points: { [ids[0]]: drilled } }, disk);
  const mark = { point: ids[1], sequence: newer.sequence, at, why: "one row is missing", by: "drill" } as const;
  await markDamage(folders, mark, disk);
  const [app] = StateView.parse(await (await get("/", json)).json()).apps;
  expect(app?.points).toMatchObject([
    { id: ids[1], verified: false, latest: false, damaged: { at, why: "one row is missing" } },
    { id: ids[0], verified: true, latest: true, scrubbedAt: at, proven: { at, tookMs: 400 } },
  ]);
  const text = await (await get()).text();
  expect(text).toContain(`verified  latest  read back at ${at}  proven restorable at ${at}, in 0.4 s`);
  expect(text).toContain("damaged: one row is missing");
});

test("GET / says until when an app is paused, and no longer", async () => {
  const { get, folders } = await lab();
  const pausedTo = async (until: string) => {
    await mkdir(folders.hidden, { recursive: true });
    const pause = { version: 1, until, by: "make", at: "2025-12-19T17:00:00Z" };
    await writeFile(join(folders.hidden, "pause.json"), JSON.stringify(pause));
    return StateView.parse(await (await get("/", json)).json()).apps[0]?.pausedUntil;
  };
  expect(await pausedTo("2025-12-19T18:00:01Z")).toBe("2025-12-19T18:00:01Z");
  expect(await (await get()).text()).toContain("Paused until 2025-12-19T18:00:01Z");
  expect(await pausedTo("2025-12-19T18:00:00Z")).toBeUndefined();
});

test("POST / lets a plan look without the token, also while a run is in progress", async () => {
  const { post, restore, runs } = await lab();
  await post({}, later);
  const plan = await restore.request("/", {
    method: "POST",
    body: '{"operation":"plan","at":"Thu 18:00"}',
    headers: later,
  });
  expect(plan.status).toBe(202);
  expect(runs.started[1]?.request).toEqual({ operation: "plan", app: "box", at: "Thu 18:00", timeZone: "UTC" });
});

test("POST / refuses a body that it does not understand before anything is started", async () => {
  const { backup, runs } = await lab();
  for (const body of ["{", '{"forse":true}', '{"operation":"restore"}', "[]"]) {
    const response = await backup.request("/", { method: "POST", body, headers: { ...json, ...bearer } });
    expect([body, response.status, Problem.parse(await response.json()).code]).toEqual([body, 400, "invalid_request"]);
  }
  expect(runs.started).toEqual([]);
});

test("GET / tells state and restore points, newest first, in lines or as JSON", async () => {
  const { folders, get, post } = await lab();
  await makePoint(folders, "20251218-180000", { sequence: 1, pinned: true });
  await makePoint(folders, "20251219-180000", { sequence: 2, manifest: { facts: { saves: 3 } } });
  await makePoint(folders, "20251220-180000", { sequence: 3, manifest: { damaged: { at: "x", why: "y" } } });
  await writeFile(
    folders.state,
    JSON.stringify({ version: 1, waiting: "another map", last: describeOutcome(describeRun()) }),
  );
  await post({}, { ...later, "x-connector": "cron-connector" });
  const state = StateView.parse(await (await get("/", json)).json());
  expect(state).toMatchObject({
    function: "backup-box",
    type: "box",
    apps: [
      {
        app: "box",
        title: "Box",
        keep: 5,
        waiting: "another map",
        running: { operation: "backup", startedBy: "cron" },
      },
    ],
  });
  expect(state.apps[0]?.points.map(({ id, verified, pinned, latest }) => [id, verified, pinned, latest])).toEqual([
    ["20251220-180000", false, false, false],
    ["20251219-180000", true, false, true],
    ["20251218-180000", true, true, false],
  ]);
  expect(state.apps[0]?.points[1]?.facts).toEqual({ saves: 3 });
  const text = await (await get()).text();
  expect(text).toMatch(
    /^box: 3 restore points\n {2}backup is running .*cron\n {2}Backups wait: another map\n {2}Last run: backup created/,
  );
  expect(text).toMatch(/20251219-180000 .* verified {2}latest\n {2}20251218-180000 .* verified {2}pinned\n/);
});

test("GET / tells the NAS's room, what waits to be told, what retention has left, and what killed runs have", async () => {
  const { root, folders, get } = await lab("apps:\n  box: {keep: 1}\n");
  const boxView = async () => StateView.parse(await (await get("/", json)).json());
  const { nas, apps } = await boxView();
  expect(nas?.totalBytes).toBeGreaterThan(nas?.freeBytes ?? 0);
  expect(apps[0]).toMatchObject({ expired: 0, waitingOutcomes: 0 });
  expect(apps[0]?.left).toBeUndefined();

  for (const [index, id] of ["20251218-180000", "20251219-180000", "20251220-180000"].entries())
    await makePoint(folders, id, { sequence: index + 1 });
  await mkdir(folders.outbox, { recursive: true });
  await writeFile(join(folders.outbox, "backup-box-1.outcome.json"), "{}");
  await mkdir(join(root, "state/workloads/box"), { recursive: true });
  await writeFile(join(root, "state/workloads/box/stopped.json"), "{}");
  expect((await boxView()).apps[0]).toMatchObject({
    expired: 2,
    waitingOutcomes: 1,
    left: ["it was stopped for a run, and not brought back"],
  });
});

test("GET / of functions whose folders are not made yet tells of no points", async () => {
  const { get } = await lab(twoApps);
  expect(await (await get()).text()).toBe("box: 0 restore points\n\nsecond-box: 0 restore points\n");
});

test("A NAS that hangs is answered with 503 within seconds, again and again, and served as soon as it answers (a mount that was gone locked everything up elsewhere)", async () => {
  const { root, get, post, restore, runs } = await lab();
  const marker = markerPath(join(root, "nas"));
  await rm(marker);
  execFileSync("mkfifo", [marker]);
  const letGo = () => {
    try {
      closeSync(openSync(marker, constants.O_WRONLY | constants.O_NONBLOCK));
    } catch {
      // Nobody is reading.
    }
  };
  onTestFinished(letGo);
  const began = performance.now();
  const ask = [
    () => get("/", json),
    () => post({}, json),
    () => restore.request("/", { method: "POST", headers: { ...bearer, ...json } }),
    () => get("/", json),
    () => get("/", json),
  ];
  for (const request of ask) {
    const response = await request();
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("30");
    expect(Problem.parse(await response.json())).toMatchObject({ code: "nas_unreachable", retryable: true });
  }
  expect(performance.now() - began).toBeLessThan(4000);
  // What needs no NAS goes on, the token's file among it.
  expect((await get("/_/health")).status).toBe(200);
  expect((await post({ operation: "accept" })).status).toBe(401);
  expect(runs.started).toEqual([]);

  for (let reader = 0; reader < 3; reader += 1) letGo();
  await rm(marker);
  await makeNas(join(root, "nas"));
  await expect.poll(async () => (await get("/")).status).toBe(200);
});

test("A folder without the marker is no NAS: nothing is started, and it is said how to mark one", async () => {
  const { root, get, post, runs } = await lab();
  await rm(markerPath(join(root, "nas")));
  for (const response of [await get(), await post()]) {
    expect([response.status, await response.text()]).toEqual([503, expect.stringContaining("make init-nas")]);
  }
  expect(runs.started).toEqual([]);
});

/** The events of a stream: id, type, data. */
async function eventsOf(response: Response): Promise<[string | undefined, string | undefined, unknown][]> {
  expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
  return (await response.text()).split("\n\n").filter((block) => /^(id|event): /.test(block)).map((block) => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
    return [field("id"), field("event"), JSON.parse(field("data") ?? "null")];
  }); // biome-ignore format: reads as a chain
}

const stream = { accept: "text/event-stream" };

test("GET /runs/<id> follows a run live as an event stream, to its outcome and an end with the whole run", async () => {
  const { post, get, runs } = await lab();
  const { id } = await (await post({}, { ...later, ...json })).json();
  runs.tell(id, progress);
  const reading = eventsOf(await get(`/runs/${id}`, stream));
  runs.tell(
    id,
    { type: "warning", at: "x", message: "careful" },
    describeOutcome(runs.started[0] as RunDescription, created()),
  );
  const events = await reading;
  expect(events.map(([number, type]) => [number, type])).toEqual([
    ["0-1", "progress"],
    ["0-2", "warning"],
    ["0-3", "outcome"],
    [undefined, "end"],
  ]);
  expect(events[3]?.[2]).toMatchObject({ id, status: "created" });
});

test("GET /runs/<id> goes on after Last-Event-ID, as a client does that a gateway's timeout has cut off", async () => {
  const { world, post, get, runs } = await lab();
  world.end = created;
  const { id } = await (await post({}, json)).json();
  const after = async (last: string) =>
    (await eventsOf(await get(`/runs/${id}`, { ...stream, "last-event-id": last }))).map(([, type]) => type);
  expect(await after("0-1")).toEqual(["outcome", "end"]);
  expect(await after("0-2")).toEqual(["end"]);
  for (const odd of ["", "x", "7", "-1", "0-", "0-x", "1e9-1e9"]) expect((await after(odd)).at(-1)).toBe("end");
  expect(await after("")).toEqual(["progress", "outcome", "end"]);
  expect(runs.started).toHaveLength(1);
});

test("GET /runs/<id> of a parent tells its runs in turn, and goes on in the right one", async () => {
  const { world, post, get } = await lab(twoApps);
  world.end = created;
  const { id } = await (await post({}, json)).json();
  const events = await eventsOf(await get(`/runs/${id}`, stream));
  expect(events.map(([number]) => number)).toEqual(["0-1", "0-2", "1-1", "1-2", undefined]);
  const rest = await eventsOf(await get(`/runs/${id}`, { ...stream, "last-event-id": "1-1" }));
  expect(rest.map(([number]) => number)).toEqual(["1-2", undefined]);
  expect(rest[1]?.[2]).toMatchObject({ id, runs: [{ app: "box" }, { app: "second-box" }] });
});

test("GET /runs/<id> stops following when the client goes away", async () => {
  const { post, get, runs } = await lab();
  const { id } = await (await post({}, { ...later, ...json })).json();
  let ended = false;
  const follow = runs.follow.bind(runs);
  runs.follow = async function* (...args) {
    try {
      yield* follow(...args);
    } finally {
      ended = true;
    }
  };
  const reader = ((await get(`/runs/${id}`, stream)).body as ReadableStream).getReader();
  runs.tell(id, progress);
  await reader.read();
  await reader.cancel();
  await expect.poll(() => ended).toBe(true);
});

test("DELETE /runs/<id> cancels with the token only, all runs of a parent", async () => {
  const { post, backup, runs } = await lab(twoApps);
  const { id } = await (await post({}, { ...later, ...json })).json();
  const cancel = (run: string, headers = {}) => backup.request(`/runs/${run}`, { method: "DELETE", headers });
  expect((await cancel(id)).status).toBe(401);
  expect((await cancel("not-there")).status).toBe(401);
  expect(runs.cancelled).toEqual([]);
  expect((await cancel(id, bearer)).status).toBe(202);
  expect(runs.cancelled).toEqual([`${id}.box`, `${id}.second-box`]);
  expect((await cancel("not-there", bearer)).status).toBe(404);
});

test("GET and DELETE /runs/<id> know the runs of the function's own apps only, and of either function", async () => {
  const { world, post, restore, backup, runs } = await lab();
  world.end = created;
  const { id } = await (await post({}, json)).json();
  expect((await restore.request(`/runs/${id}`)).status).toBe(200);
  await runs.start(describeRun({ id: "backup-other-1", app: "other" }));
  for (const run of ["backup-other-1", "not-there", "..%2F..%2Fetc%2Fpasswd", "%00"]) {
    expect([run, (await backup.request(`/runs/${run}`)).status]).toEqual([run, 404]);
    const cancelled = await backup.request(`/runs/${run}`, { method: "DELETE", headers: bearer });
    expect([run, cancelled.status]).toEqual([run, 404]);
  }
  expect(runs.cancelled).toEqual([]);
});

test("Whatever nobody foresaw is a 500 that tells nothing of it, and what there is not a 404 that tells what there is", async () => {
  const { backup, post, get, runs } = await lab();
  runs.start = () => Promise.reject(new Error("connect postgres://admin:hunter2@db failed"));
  for (const headers of [{}, json]) {
    const response = await post({}, headers);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toMatch(/hunter2|postgres:/);
  }
  for (const [method, path] of [
    ["GET", "/nothing"],
    ["PUT", "/"],
    ["DELETE", "/"],
    ["POST", "/runs/x"],
  ] as const) {
    const response = await backup.request(path, { method, headers: json });
    expect([method, path, response.status]).toEqual([method, path, 404]);
    expect(Problem.parse(await response.json()).detail).toContain("POST /");
  }
  expect(await (await get("/_/ready")).text()).toBe("OK\n");
});

test("A cluster that is away is not taken for a NAS that is, however long it is asked, and keeps no NAS waiting", async () => {
  const { world, get, post } = await lab();
  const { place } = world;
  const away = new Failure("cluster_unreachable", "Cannot read the lock: the cluster's API does not answer");
  const asked = Promise.withResolvers<never>();
  world.place = { ...place, lockHolder: () => asked.promise };
  // More than there may be reads of a NAS that hang; and longer than the NAS is given.
  const answers = [get("/", json), post({}, json), get("/", json), get("/", json), post({}, json)];
  await delay(400);
  asked.reject(away);
  for (const response of await Promise.all(answers)) {
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("30");
    expect(Problem.parse(await response.json())).toMatchObject({ code: "cluster_unreachable", retryable: true });
  }
  world.place = place;
  expect((await get("/")).status).toBe(200);
});
