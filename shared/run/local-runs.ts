import { spawn } from "node:child_process";
import { mkdir, open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ignore } from "../disk.ts";
import { Failure } from "../failures.ts";
import { readFile, stat, unlink } from "../files.ts";
import { parseJson } from "../json.ts";
import { namesIn } from "../nas/points.ts";
import { type Lane, laneOf, RunDescription } from "./description.ts";
import { identify, ownIdentity, ProcessIdentity, stateOf } from "./process-identity.ts";
import { type Outcome, type Progress, RunLine } from "./report.ts";
import type { FoundRun, Runs } from "./runs.ts";

type Command = readonly [string, ...string[]];

/** Runs whose output is kept on this machine. */
const keptRuns = 300;

/**
 * Runs as processes of this machine. Each has a folder: run.json (what it is), starter.json and runner.json (who), and
 * output.ndjson, which the runner writes itself, so that it goes on whatever happens to whoever started it.
 * @param folder Where the folders are.
 * @param command The runner, or how to find it, to which the path of run.json is appended.
 * @param environment For the runner, beside that of this process.
 */
export function localRuns(
  folder: string,
  command: Command | (() => Promise<Command>),
  environment: Readonly<Record<string, string>> = {},
): Runs {
  const pathOf = (id: string, file: string) => join(folder, id, file);
  /** The last run of each app in each lane. */
  const latest = new Map<string, string>();
  const laneKey = (app: string, lane: Lane) => `${app} ${lane}`;
  /** Runs that are being started from here: nobody else is told of one before it can be found. */
  const starting = new Map<string, Promise<boolean>>();

  const statusOf = (id: string) => statusOfRun(folder, id);

  const find = async (id: string): Promise<(FoundRun & { run: RunDescription }) | undefined> => {
    const run = await readJson(pathOf(id, "run.json"), RunDescription);
    // An id is what a caller says: one that leads out of the folder is none.
    if (run?.id !== id) return undefined;
    let { progress, outcome } = await lastLines(pathOf(id, "output.ndjson"));
    if (!outcome && (await statusOf(id)) === "gone") {
      // It may have ended between the two looks.
      ({ progress, outcome } = await lastLines(pathOf(id, "output.ndjson")));
      outcome ??= killed(run);
    }
    return { run, ...(progress && { progress }), ...(outcome && { outcome }) };
  };

  const begin = async (run: RunDescription): Promise<boolean> => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    try {
      await mkdir(join(folder, run.id), { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    }
    latest.set(laneKey(run.app, laneOf(run.request.operation)), run.id);
    await writeFile(pathOf(run.id, "starter.json"), JSON.stringify(await ownIdentity()));
    await mkdir(openFolder(folder), { recursive: true, mode: 0o700 });
    await writeFile(join(openFolder(folder), run.id), "");
    const output = await open(pathOf(run.id, "output.ndjson"), "a", 0o600);
    const log = await open(pathOf(run.id, "log.ndjson"), "a", 0o600);
    try {
      // From here on it can be found, so there has to be something to follow.
      await writeFile(pathOf(run.id, "run.json"), JSON.stringify(run), { flag: "wx" });
      const [program, ...args] = typeof command === "function" ? await command() : command;
      // A session of its own: a Ctrl-C at the gateway's terminal is not for the runner.
      const child = spawn(program, [...args, pathOf(run.id, "run.json")], {
        detached: true,
        stdio: ["ignore", output.fd, log.fd],
        // Node keeps what it compiled, types stripped: half the time to start, and 30 MB less memory.
        env: { NODE_COMPILE_CACHE: join(folder, "..", "compile-cache"), ...process.env, ...environment },
      });
      await new Promise<void>((resolve, reject) => child.once("spawn", resolve).once("error", reject));
      const runner = await identify(child.pid as number).catch(() => undefined);
      if (runner) await writeFile(pathOf(run.id, "runner.json"), JSON.stringify(runner));
      else await rm(pathOf(run.id, "starter.json"));
      child.unref();
    } catch (error) {
      // Without a runner it would be "starting" for as long as this process lives.
      await rm(pathOf(run.id, "starter.json"), { force: true });
      throw error;
    } finally {
      await output.close();
      await log.close();
    }
    await trim(folder);
    return true;
  };

  return {
    find,

    async start(run) {
      const earlier = starting.get(run.id);
      if (earlier) return earlier.then(() => false);
      const begun = begin(run).finally(() => starting.delete(run.id));
      starting.set(run.id, begun);
      return begun;
    },

    async active(app, lane) {
      const id = latest.get(laneKey(app, lane));
      const found = id === undefined ? undefined : await find(id);
      return found && !found.outcome ? found.run : undefined;
    },

    async *follow(id, { after = 0, signal }) {
      const file = await open(pathOf(id, "output.ndjson"), "r").catch(() => undefined);
      let ended = false;
      try {
        let number = 0;
        let rest = Buffer.alloc(0);
        let offset = 0;
        for (;;) {
          // Asked before the read: what a runner that is gone has written is then read to its end.
          const gone = !file || (await statusOf(id)) === "gone";
          const chunk = Buffer.alloc(64 << 10);
          const bytesRead = file ? (await file.read(chunk, 0, chunk.length, offset)).bytesRead : 0;
          offset += bytesRead;
          rest = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
          for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
            const line = RunLine.safeParse(parseJson(rest.subarray(0, end).toString()));
            rest = rest.subarray(end + 1);
            number += 1;
            if (!line.success) continue;
            ended ||= line.data.type === "outcome";
            if (number > after) yield { number, line: line.data };
          }
          if (ended || signal.aborted) return;
          if (gone && bytesRead === 0) {
            const run = await readJson(pathOf(id, "run.json"), RunDescription);
            if (run) yield { number: number + 1, line: killed(run) };
            return;
          }
          if (bytesRead === 0) await delay(100, undefined, { signal }).catch(() => {});
        }
      } finally {
        await file?.close();
      }
    },

    async cancel(id) {
      const found = await find(id);
      if (!found || found.outcome) return false;
      const runner = await readJson(pathOf(id, "runner.json"), ProcessIdentity);
      if (!runner || (await stateOf(runner)) !== "alive") return false;
      try {
        process.kill(runner.pid, "SIGTERM");
        return true;
      } catch {
        return false;
      }
    },
  };
}

/** Names of the runs that have not settled: their outcome may not be on record yet. */
const openFolder = (folder: string) => join(folder, "..", "open-runs");

/** To be called by a runner once its outcome is on record. */
export async function closeRun(folder: string, id: string): Promise<void> {
  await unlink(join(openFolder(folder), id)).catch(ignore("ENOENT"));
}

/** Runs of an app whose runner died before the outcome was on record, the lock taken or not. */
export async function lostRuns(folder: string, app: string): Promise<RunDescription[]> {
  const lost: RunDescription[] = [];
  for (const id of await namesIn(openFolder(folder))) {
    const run = await readJson(join(folder, id, "run.json"), RunDescription);
    if (run && run.app !== app) continue;
    if ((await statusOfRun(folder, id)) !== "gone") continue;
    if (run) lost.push(run);
    else await closeRun(folder, id);
  }
  return lost;
}

async function statusOfRun(folder: string, id: string): Promise<"starting" | "alive" | "gone"> {
  const runner = await readJson(join(folder, id, "runner.json"), ProcessIdentity);
  if (runner) return (await stateOf(runner)) === "gone" ? "gone" : "alive";
  const starter = await readJson(join(folder, id, "starter.json"), ProcessIdentity);
  return starter && (await stateOf(starter)) !== "gone" ? "starting" : "gone";
}

/** What is said of a run whose runner is gone without an outcome; the next run records it. */
function killed(run: RunDescription): Outcome {
  const failure = new Failure("interrupted", `The ${run.request.operation} of "${run.app}" was killed before its end`, {
    hint: "Run it again: what it left is put in order first.",
  });
  return {
    type: "outcome",
    runId: run.id,
    function: run.function,
    app: run.app,
    title: run.app,
    operation: run.request.operation,
    outcome: "interrupted",
    startedAt: run.startedAt,
    startedBy: run.startedBy,
    finishedAt: new Date().toISOString(),
    durationMs: 0,
    message: failure.message,
    failure: {
      code: "interrupted",
      message: failure.message,
      ...(failure.hint !== undefined && { hint: failure.hint }),
      retryable: true,
    },
    warnings: [],
  };
}

/** The last progress and the outcome, from the end of the file. */
async function lastLines(path: string): Promise<{ progress?: Progress; outcome?: Outcome }> {
  const tailBytes = 256 << 10;
  const file = await open(path, "r").catch(() => undefined);
  if (!file) return {};
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - tailBytes);
    const buffer = Buffer.alloc(size - from);
    await file.read(buffer, 0, buffer.length, from);
    let progress: Progress | undefined;
    let outcome: Outcome | undefined;
    for (const text of buffer.toString().split("\n")) {
      const line = RunLine.safeParse(parseJson(text));
      if (line.success && line.data.type === "progress") progress = line.data;
      if (line.success && line.data.type === "outcome") outcome = line.data;
    }
    return { ...(progress && { progress }), ...(outcome && { outcome }) };
  } finally {
    await file.close();
  }
}

async function readJson<T>(
  path: string,
  schema: { safeParse(value: unknown): { success: true; data: T } | { success: false } },
): Promise<T | undefined> {
  const parsed = schema.safeParse(parseJson(await readFile(path, "utf8").catch(() => "")));
  return parsed.success ? parsed.data : undefined;
}

async function trim(folder: string): Promise<void> {
  const names = await namesIn(folder);
  if (names.length <= keptRuns * 1.1) return;
  const dated = await Promise.all(
    names.map(async (name) => ({ name, ms: (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs ?? 0 })),
  );
  dated.sort((a, b) => b.ms - a.ms);
  for (const { name } of dated.slice(keptRuns)) await rm(join(folder, name), { recursive: true, force: true });
}
