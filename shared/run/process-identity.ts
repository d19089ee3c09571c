import { execFile } from "node:child_process";
import { hostname } from "node:os";
import { promisify } from "node:util";
import { z } from "zod";
import { readFile } from "../files.ts";

const exec = promisify(execFile);

/** A process that can be told from another one that got the same pid later, or after a reboot. */
export const ProcessIdentity = z.object({
  pid: z.number().int().positive(),
  /** Start time as the kernel counts it; an opaque text. */
  started: z.string(),
  /** Changes at every boot. */
  boot: z.string(),
  host: z.string(),
});
export type ProcessIdentity = z.infer<typeof ProcessIdentity>;

export async function ownIdentity(): Promise<ProcessIdentity> {
  return identify(process.pid);
}

export async function identify(pid: number): Promise<ProcessIdentity> {
  const [started, boot] = await Promise.all([startOf(pid), bootId()]);
  if (started === undefined) throw new Error(`Cannot identify process ${pid}: it is not running`);
  return { pid, started, boot, host: hostname() };
}

/** `unknown`: it runs on another machine, so nothing can be said from here. */
export async function stateOf(process: ProcessIdentity): Promise<"alive" | "gone" | "unknown"> {
  if (process.host !== hostname()) return "unknown";
  if (process.boot !== (await bootId())) return "gone";
  return (await startOf(process.pid)) === process.started ? "alive" : "gone";
}

/**
 * Linux: field 22 of /proc/<pid>/stat (proc(5)), in clock ticks since boot; a zombie counts as gone. Else: ps, whose
 * answer is in the asker's language and time zone unless told.
 */
async function startOf(pid: number): Promise<string | undefined> {
  if (process.platform === "linux") {
    const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
    // The command name stands in parentheses and may hold anything, so count from the last one.
    const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields === undefined || fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  }
  const { stdout } = await exec("ps", ["-o", "lstart=", "-p", String(pid)], {
    env: { ...process.env, TZ: "UTC", LC_ALL: "C" },
  }).catch(() => ({ stdout: "" }));
  return stdout.trim() || undefined;
}

let boot: Promise<string> | undefined;

function bootId(): Promise<string> {
  boot ??=
    process.platform === "linux"
      ? readFile("/proc/sys/kernel/random/boot_id", "utf8").then((text) => text.trim())
      : // Not kern.boottime, which moves when the clock is set.
        exec("sysctl", ["-n", "kern.bootsessionuuid"]).then(({ stdout }) => stdout.trim());
  return boot;
}
