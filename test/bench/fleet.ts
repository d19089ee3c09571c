import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../../deploy/local/lab/free-port.ts";

/** One function of the image, as a pod runs it. */
export interface FleetFunction {
  readonly name: string;
  readonly url: string;
  readonly child: ChildProcess;
  /** From its start until it had answered a GET, in seconds. */
  readonly firstAnswerSeconds: number;
}

export interface FleetOptions {
  /** The image's /app. */
  readonly app: string;
  /** For what each function writes: its own TMPDIR is in it. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
}

const json = { accept: "application/json" };

/** Starts a function, and returns when it has answered. */
export async function startFunction(name: string, { app, folder, environment }: FleetOptions): Promise<FleetFunction> {
  const [port, temporary] = [await freePort(), join(folder, name)];
  await mkdir(temporary);
  const startedMs = performance.now();
  const child = spawn(process.execPath, ["--max-semi-space-size=1", join(app, "keepsake.cjs"), "serve"], {
    stdio: "ignore",
    env: { ...environment, KEEPSAKE_FUNCTION: name, TMPDIR: temporary, HOST: "127.0.0.1", port: String(port) },
  });
  const url = `http://127.0.0.1:${port}/`;
  for (;;) {
    const answer = await fetch(url, { headers: json }).catch(() => undefined);
    if (answer?.status === 200) {
      await answer.arrayBuffer();
      return { name, url, child, firstAnswerSeconds: (performance.now() - startedMs) / 1000 };
    }
    if (answer || child.exitCode !== null) throw new Error(`Cannot measure "${name}": it does not answer, or ends`);
    await delay(2);
  }
}

/** What each of them does most: a backup, a plan, a look. Whatever comes of it, there is an answer. */
export async function post({ name, url }: FleetFunction): Promise<void> {
  const body = name.startsWith("restore-") ? '{"operation":"plan"}' : null;
  await (await fetch(url, { method: "POST", headers: json, body })).arrayBuffer();
}

/** Returns when it is one process, as it is nearly all day; false when it is not within the time. */
export async function untilAtRest({ child }: FleetFunction, withinMs: number): Promise<boolean> {
  for (const endMs = performance.now() + withinMs; performance.now() < endMs; await delay(250)) {
    if ((await childrenOf(child.pid as number)).length === 0) return true;
  }
  return false;
}

/** Of a function's processes: memory that nobody shares, and its share of all, in bytes. */
export async function memoryOf({ child }: FleetFunction): Promise<{ privateDirty: number; proportional: number }> {
  const pids = [child.pid as number, ...(await childrenOf(child.pid as number))];
  const texts = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/smaps_rollup`, "utf8")));
  const sum = (field: string) =>
    texts.reduce((all, text) => all + 1024 * Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1]), 0);
  return { privateDirty: sum("Private_Dirty"), proportional: sum("Pss") };
}

export async function end({ child }: FleetFunction): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}

const childrenOf = async (pid: number): Promise<number[]> =>
  (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8"))
    .split(" ")
    .filter((text) => text !== "")
    .map(Number);
