import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../../shared/failures.ts";
import { lineSplitter } from "./lines.ts";

export interface RendererOptions {
  /** For `sh -c`. */
  readonly command: string;
  /** The folder that it is started in. */
  readonly folder: string;
  /** Added to this process's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** How long it may take. */
  readonly timeoutMs: number;
  /** How long it may take to end once it has said that it is done. */
  readonly graceMs: number;
  /** How long it may take to end once it was asked to. */
  readonly patienceMs?: number;
  readonly signal: AbortSignal;
  /** Hears each line that it writes, cut at 2000 characters. */
  readonly onLine: (line: string) => void;
  /** Hears its process, which does nothing before this is done. */
  readonly onStart?: (pid: number) => Promise<void>;
}

export interface Rendered {
  /** The path that it told: that of the render's folder. */
  readonly output: string;
  /** It said that it was done, and did not end: it was killed. */
  readonly hung: boolean;
}

const lastLines = 8;

/**
 * Runs the renderer to its end, in a process group of its own, so that nothing of it (Factorio, a virtual screen)
 * outlives it or a cancelled run.
 *
 * `mapshot render` is done when it has written "Output: <path>" and exits with 0: Factorio has then written every
 * screenshot. Factorio may crash after that, and mapshot then never ends (Palats/mapshot#45), so it is killed after a
 * while. Whether the render is whole, its tiles tell.
 * @throws {Failure} `tool_failed`, `cancelled`.
 */
export async function runRenderer(options: RendererOptions): Promise<Rendered> {
  const { command, folder, env, timeoutMs, graceMs, patienceMs = 5_000, signal, onLine, onStart } = options;
  signal.throwIfAborted();
  const tail: string[] = [];
  let output: string | undefined;
  let stopped: "late" | "hung" | "cancelled" | undefined;
  let timer: NodeJS.Timeout;
  let kill: NodeJS.Timeout | undefined;

  // It waits for a word until it is remembered: a run that is killed before leaves nothing that nobody knows of.
  const child = spawn("/bin/sh", ["-c", 'read -r _ && exec /bin/sh -c "$0"', command], {
    cwd: folder,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.on("error", () => {});
  const stop = (why: typeof stopped) => {
    stopped ??= why;
    clearTimeout(timer);
    // Asked first, so that a virtual screen is taken down; then not any more.
    signalGroup(child, "SIGTERM");
    kill ??= setTimeout(signalGroup, patienceMs, child, "SIGKILL");
  };
  const hear = (told: string) => {
    const line = withoutSecrets(told);
    tail.push(line);
    if (tail.length > lastLines) tail.shift();
    onLine(line);
    const [, path] = /^Output: (\/.+)$/.exec(line) ?? [];
    if (path === undefined || output !== undefined) return;
    output = path;
    clearTimeout(timer);
    timer = setTimeout(stop, graceMs, "hung");
  };
  timer = setTimeout(stop, timeoutMs, "late");
  const cancel = () => stop("cancelled");
  signal.addEventListener("abort", cancel, { once: true });
  const splitters = [child.stdout, child.stderr].map((stream) => {
    const splitter = lineSplitter(hear);
    stream.setEncoding("utf8").on("data", (text: string) => splitter.write(text));
    return splitter;
  });
  try {
    const ended = endOf(child);
    if (child.pid !== undefined) await onStart?.(child.pid);
    child.stdin.end("go\n");
    const status = await ended;
    for (const splitter of splitters) splitter.end();
    signal.throwIfAborted();
    return judge({ status, output, stopped, tail, timeoutMs });
  } finally {
    clearTimeout(timer);
    clearTimeout(kill);
    signal.removeEventListener("abort", cancel);
    // Whatever it has left behind: the pipes of such a process may never close.
    await killGroup(child);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

/** Whoever downloads Factorio does it with an address that holds a token; what is told goes into logs and messages. */
export const withoutSecrets = (line: string) => line.replace(/\b(token|password|username|key)=[^&\s"']+/gi, "$1=…");

/** "exit status 0", or the signal or the error that ended it. Not "close": what it started may hold the pipes open. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.on("error", (cause) => {
      reject(new Failure("tool_failed", `Cannot run the renderer: ${cause.message}`, { cause }));
    });
    child.on("exit", (code, name) => {
      const told = name === null ? `exit status ${code}` : name;
      // What it wrote last may still be in the pipes.
      const drained = Promise.all([child.stdout, child.stderr].map((stream) => stream?.readableEnded || ended(stream)));
      const patience = setTimeout(() => resolve(told), 500);
      drained.then(() => {
        clearTimeout(patience);
        resolve(told);
      });
    });
  });
}

const ended = (stream: NodeJS.ReadableStream | null) => new Promise<void>((resolve) => stream?.on("end", resolve));

/** @throws {Failure} `tool_failed`. */
export function judge(seen: {
  status: string;
  output: string | undefined;
  stopped: "late" | "hung" | "cancelled" | undefined;
  tail: readonly string[];
  timeoutMs: number;
}): Rendered {
  const { status, output, stopped, tail, timeoutMs } = seen;
  if (output !== undefined && stopped === "hung") return { output, hung: true };
  if (output !== undefined && stopped === undefined && status === "exit status 0") return { output, hung: false };
  const why =
    stopped === "late"
      ? `"Output: <path>" is wanted within ${timeoutMs / 3_600_000} h, did not come; it was ended`
      : output === undefined && status === "exit status 0"
        ? `"Output: <path>" is wanted, it ended without`
        : `exit status 0 is wanted, is ${status.replace("exit status ", "")}`;
  const locked = tail.some((line) => /exclusive lock|already running/i.test(line));
  throw new Failure("tool_failed", `Cannot render: ${why}. Its last lines:\n${tail.join("\n") || "(none)"}`, {
    hint: locked
      ? "Another Factorio runs there, or one that was killed has left its .lock: if none runs, remove that file beside Factorio's saves."
      : 'What is published stays as it is. Try the line of the setting "render.command" yourself.',
  });
}

/** What is killed does nothing any more, though it may be a while until the system has buried it. */
const buriedWithinMs = 300;

/** Returns when nothing of the group is left that does anything. */
export async function killGroup(leader: { readonly pid?: number | undefined }): Promise<void> {
  for (const since = Date.now(); signalGroup(leader, "SIGKILL") && Date.now() - since < buriedWithinMs; )
    await delay(10);
}

/**
 * The group has its leader's pid as long as anything of it lives.
 * @returns Whether anything was there.
 */
function signalGroup({ pid }: { readonly pid?: number | undefined }, name: NodeJS.Signals): boolean {
  try {
    return pid !== undefined && process.kill(-pid, name);
  } catch (error) {
    // Nothing of it is left; macOS says so in another way.
    if (!["ESRCH", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    return false;
  }
}
