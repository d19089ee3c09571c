import { type ChildProcessByStdio, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { Failure } from "../../shared/failures.ts";
import { parseJson } from "../../shared/json.ts";
import { type DatabaseFacts, type Problem, SqliteReply, type SqliteRequest } from "./sqlite/protocol.ts";

export interface SqliteOptions {
  readonly signal?: AbortSignal | undefined;
  /** Where SQLite may put what it sorts: a local folder. */
  readonly temporary?: string;
  /** How big the database is: a check that takes longer than any disk explains is ended. */
  readonly sizeBytes: number;
  readonly onProgress?: (phase: string, doneBytes?: number, totalBytes?: number) => void;
}

/** What SQLite said instead of an answer. What it means depends on whose database it is. */
export class SqliteRefusal extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

/** Ten minutes, and a second for each megabyte. */
const deadlineMs = (sizeBytes: number) => 600_000 + Math.ceil(sizeBytes / 1000);
/** For a process that was killed to be gone. One that hangs on a network's file cannot be killed. */
const patienceMs = 5000;

/**
 * Carries out one request in a process of its own.
 * @throws {SqliteRefusal}
 * @throws {Failure} `tool_failed` when SQLite came to its own end; what the signal has as its reason.
 */
export async function askSqlite(request: SqliteRequest, options: SqliteOptions): Promise<DatabaseFacts> {
  options.signal?.throwIfAborted();
  const child = start(request, options.temporary);
  let answer: { facts: DatabaseFacts } | { problem: Problem } | undefined;
  createInterface({ input: child.stdout }).on("line", (line) => {
    const reply = SqliteReply.safeParse(parseJson(line));
    if (!reply.success) return;
    if ("progress" in reply.data) {
      const { phase, doneBytes, totalBytes } = reply.data.progress;
      options.onProgress?.(phase, doneBytes, totalBytes);
    } else answer = reply.data;
  });
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaints = (complaints + text).slice(-2000);
  });
  const how = await endOf(child, options);
  options.signal?.throwIfAborted();
  if (answer === undefined) throw cameToAnEnd(request, `${how} ${complaints.trim()}`.trim());
  if ("problem" in answer) throw new SqliteRefusal(answer.problem);
  return answer.facts;
}

/** Beside this file; or among the sources, when this is part of a runner in few files (`functions/build.ts`). */
function processPath(): string {
  const beside = fileURLToPath(new URL("./sqlite/process.ts", import.meta.url));
  if (existsSync(beside)) return beside;
  return fileURLToPath(new URL("../../../functions/open-webui/sqlite/process.ts", import.meta.url));
}

function start(request: SqliteRequest, temporary: string | undefined): ChildProcessByStdio<null, Readable, Readable> {
  const entry = processPath();
  const args = "Deno" in globalThis ? ["run", "--allow-all", entry] : ["--disable-warning=ExperimentalWarning", entry];
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  return spawn(process.execPath, [...args, JSON.stringify(request)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: PATH ?? "",
      ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }),
      ...(temporary && { SQLITE_TMPDIR: temporary }),
    },
  });
}

/** Waits until the process is gone, which it is soon once the signal aborts or its time is over. @returns How it ended. */
async function endOf(
  child: ChildProcessByStdio<null, Readable, Readable>,
  { signal, sizeBytes }: SqliteOptions,
): Promise<string> {
  const end = Promise.withResolvers<string>();
  child.on("error", end.reject);
  child.on("close", (status, killedBy) => end.resolve(killedBy ?? `status ${status}`));
  const timers: NodeJS.Timeout[] = [];
  let late = false;
  const kill = () => {
    child.kill("SIGKILL");
    timers.push(setTimeout(() => end.resolve("no end at all"), patienceMs));
  };
  timers.push(
    setTimeout(() => {
      late = true;
      kill();
    }, deadlineMs(sizeBytes)),
  );
  signal?.addEventListener("abort", kill, { once: true });
  try {
    const how = await end.promise;
    return late ? "no answer in a time that would have been enough for any disk" : how;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    signal?.removeEventListener("abort", kill);
    // Nothing of it keeps the run alive.
    child.unref();
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

function cameToAnEnd(request: SqliteRequest, how: string): Failure {
  const path = "path" in request ? request.path : request.from;
  return new Failure(
    "tool_failed",
    `Cannot look into "${path}" with SQLite: an answer is wanted, it ended with ${how}`,
    {
      hint: "A database that is damaged, or made to harm, can end it. Nothing was changed.",
    },
  );
}
