import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import { z } from "zod";
import type { AppType, Artefact, RunContext, VerifyOptions } from "./app.ts";
import { type AppConfig, type Config, parseConfig } from "./config.ts";
import { Disk } from "./disk.ts";
import { historyNaming, parsePointId } from "./nas/naming.ts";
import { type AppFolders, initNas, openNas } from "./nas/nas.ts";
import { type Manifest, manifestPath } from "./nas/points.ts";
import { sha256Of } from "./nas/publish.ts";
import type { AppRun } from "./run/app-run.ts";
import type { RunDescription } from "./run/description.ts";
import { localPlace } from "./run/place.ts";
import type { Outcome } from "./run/report.ts";
import type { AppState } from "./run/state.ts";
import { noWorkload } from "./run/workload.ts";
import { createStep, type Step } from "./step.ts";

/* What the tests of the core share: real folders, a small app, and the way to stop a run dead. */

/**
 * An empty folder, gone after the test.
 * @param where "memory": where fsync costs nothing, if there is such a place; for tests that make hundreds of runs.
 */
export async function tempFolder(where: "disk" | "memory" = "disk"): Promise<string> {
  const parent = where === "memory" && existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const folder = await mkdtemp(join(parent, "keepsake-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

export const testDisk = (step: Step = createStep()) => new Disk(step);

export const silentLog = pino({ level: "silent" });

const dead: Promise<never>[] = [];

/**
 * Carries out `work` and stops it dead right before its change number `at`, counted from 1: nothing of it goes on, not
 * even what stands in `finally`, just as if the process were killed.
 */
export async function stopDeadAt(at: number, work: (step: Step) => Promise<unknown>): Promise<"stopped" | "ended"> {
  let count = 0;
  let stop: (value: "stopped") => void;
  const stopped = new Promise<"stopped">((resolve) => {
    stop = resolve;
  });
  const step = createStep({
    onStep: () => {
      count += 1;
      if (count !== at) return;
      stop("stopped");
      // Remembered for ever: the garbage collector would close the files that hang on it.
      const never = new Promise<never>(() => {});
      dead.push(never);
      return never;
    },
  });
  return Promise.race([stopped, work(step).then(() => "ended" as const)]);
}

/** The changes that `work` makes, one by one. */
export async function stepsOf(work: (step: Step) => Promise<unknown>): Promise<string[]> {
  const steps: string[] = [];
  await work(createStep({ onStep: (what) => void steps.push(what) }));
  return steps;
}

/** Writes files by their path below `folder`; a path that ends with "/" is an empty folder. */
export async function writeTree(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(path.endsWith("/") ? join(folder, path) : dirname(join(folder, path)), { recursive: true });
    if (!path.endsWith("/")) await writeFile(join(folder, path), content);
  }
}

/** The files below a folder with their content, by path; empty folders are left out. */
export async function readTree(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const read = files.map(async (path) => [relative(folder, path), await readFile(path, "utf8")] as const);
  return Object.fromEntries((await Promise.all(read)).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export const boxArtefact: Artefact = {
  kind: "box",
  latest: "latest.box",
  naming: historyNaming({ prefix: "box-", suffix: ".box", join: "-" }),
};

/** The smallest app type there can be; its runs are not carried out. */
export const boxType: AppType<{ folder: string; size: number }> = {
  type: "box",
  title: "Box",
  settings: z.strictObject({ folder: z.string().default("/srv/box"), size: z.number().default(1) }),
  keep: 5,
  artefacts: [boxArtefact],
  loadBackup: () => Promise.reject(new Error("not here")),
  loadRestore: () => Promise.reject(new Error("not here")),
};

/** A marked export with nothing on it. */
export async function makeNas(root?: string) {
  const folder = root ?? (await tempFolder());
  await initNas(folder, testDisk());
  const nas = openNas(folder);
  return { root: folder, nas, folders: nas.app("box") };
}

/** Puts a restore point of the box on the NAS, as a publish leaves it (without latest.*). */
export async function makePoint(
  folders: AppFolders,
  id: string,
  {
    sequence,
    content = `content of ${id}`,
    pinned = false,
    manifest: changes = {},
  }: { sequence: number; content?: string; pinned?: boolean; manifest?: Partial<Manifest> },
): Promise<Manifest> {
  const name = boxArtefact.naming.name(id);
  const path = join(pinned ? folders.pinned : folders.history, name);
  await mkdir(dirname(path), { recursive: true });
  await mkdir(folders.points, { recursive: true });
  await writeFile(path, content);
  const sha256 = await sha256Of(path);
  const manifest: Manifest = {
    version: 1,
    id,
    sequence,
    takenAt: new Date(parsePointId(id) as number).toISOString(),
    app: "box",
    type: "box",
    runId: `run-${sequence}`,
    files: [{ kind: "box", name, sizeBytes: (await stat(path)).size, sha256, checksum: sha256 }],
    facts: {},
    ...changes,
  };
  await writeFile(manifestPath(folders, id), JSON.stringify(manifest));
  return manifest;
}

export function describeRun(changes: Partial<RunDescription> = {}): RunDescription {
  return {
    id: "backup-box-1",
    function: "backup-box",
    app: "box",
    request: { operation: "backup", app: "box", allow: [] },
    startedBy: "cron",
    startedAt: "2025-12-19T18:00:00.000Z",
    ...changes,
  };
}

export function describeOutcome(run: RunDescription, changes: Partial<Outcome> = {}): Outcome {
  return {
    type: "outcome",
    runId: run.id,
    function: run.function,
    app: run.app,
    title: "Box",
    operation: run.request.operation,
    outcome: "created",
    startedAt: run.startedAt,
    startedBy: run.startedBy,
    finishedAt: "2025-12-19T18:00:01.000Z",
    durationMs: 1000,
    message: "Box: made and verified",
    warnings: [],
    ...changes,
  };
}

/** The configuration of one app of the box type, and what belongs to it. */
export const boxConfig = (path = "/srv/keepsake.yaml", text = ""): Config =>
  parseConfig(`timeZone: UTC\n${text}`, path, [boxType]);

/** What a procedure is given that knows the NAS only. */
export function boxRun(ctx: RunContext, folders: AppFolders, state: AppState = { version: 1 }): AppRun {
  const file = boxConfig();
  const [config] = file.apps as [AppConfig];
  return { ctx, type: boxType, config, folders, place: localPlace(file), workload: noWorkload, state };
}

/** What a context has that a test without a machine of its own does not use. */
export const withoutPlaces: Pick<RunContext, "scratch" | "canStop" | "pointsOf"> = {
  scratch: () => Promise.reject(new Error("no scratch folder in this test")),
  canStop: false,
  pointsOf: () => Promise.reject(new Error("no other apps in this test")),
};

/** For `verify` of an app that needs no local file. */
export const verifyOptions = (): VerifyOptions => ({ scratch: withoutPlaces.scratch, disk: testDisk() });

export function boxContext(step: Step, run = describeRun()): RunContext<unknown> {
  return {
    app: { name: "box", type: "box", title: "Box" },
    settings: {},
    run,
    disk: new Disk(step),
    step,
    log: silentLog,
    signal: new AbortController().signal,
    now: () => Date.parse("2025-12-19T18:00:00Z"),
    ...withoutPlaces,
    allows: (override) => "allow" in run.request && run.request.allow.includes(override),
    progress: () => {},
    warn: () => {},
  };
}

/** @returns The least processor time that the work took in a dozen tries, in microseconds: what others do hardly counts. */
export async function leastWorkUs(work: () => unknown): Promise<number> {
  let leastUs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 12; i++) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    leastUs = Math.min(leastUs, user + system);
  }
  return leastUs;
}
