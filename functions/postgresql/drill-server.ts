import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, constants, readdir, readFile, readlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import type { RunContext } from "../../shared/app.ts";
import { ignore } from "../../shared/disk.ts";
import { Failure } from "../../shared/failures.ts";
import { identify, stateOf } from "../../shared/run/process-identity.ts";
import type { Settings } from "./settings.ts";

type Context = Pick<RunContext<Settings>, "settings" | "disk" | "step" | "signal">;

/** Where a drill's server has its data, its socket and its log, and whom it runs as. */
export interface ServerHome {
  readonly folder: string;
  /** PostgreSQL refuses to run as root; absent when it may run as we do. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

/**
 * @param scratch The drill's folder. As root the server's place follows from it, but lies in the home of the user
 *   `postgres`: that user may not be able to enter here.
 * @throws {Failure} `tool_missing`, `target_invalid`.
 */
export async function serverHome(scratch: string): Promise<ServerHome> {
  const home = process.getuid?.() === 0 ? await homeOfPostgres(resolve(scratch)) : { folder: resolve(scratch) };
  if (Buffer.byteLength(join(home.folder, ".s.PGSQL.5432")) <= 100) return home;
  throw new Failure(
    "target_invalid",
    `Cannot start a server in "${home.folder}": a socket's path has at most 107 bytes`,
    {
      hint: "Name a folder with a shorter path in the setting `drillFolder`.",
    },
  );
}

async function homeOfPostgres(scratch: string): Promise<ServerHome> {
  const lines = (await readFile("/etc/passwd", "utf8").catch(() => "")).split("\n");
  const [, , uid, gid, , home] = lines.find((line) => line.startsWith("postgres:"))?.split(":") ?? [];
  if (home === undefined) {
    throw new Failure("tool_missing", "Cannot start a server for the drill as root: a user `postgres` is wanted", {
      hint: "Run Keepsake as another user, or install Debian's postgresql, which makes this user.",
    });
  }
  const name = createHash("sha256").update(scratch).digest("hex").slice(0, 12);
  return { folder: join(home, `keepsake-drill-${name}`), user: { uid: Number(uid), gid: Number(gid) } };
}

/**
 * The programs of a server.
 * @param major Which one; any when undefined.
 * @throws {Failure} `tool_missing` with what to install.
 */
export async function findServer({ bin }: Settings, major: number | undefined): Promise<string> {
  const debian = "/usr/lib/postgresql";
  const installed = (await readdir(debian).catch(() => [])).sort((a, b) => Number(b) - Number(a));
  const onPath = (process.env.PATH ?? "").split(":").filter(Boolean);
  for (const folder of [...(bin ? [bin] : []), ...installed.map((name) => join(debian, name, "bin")), ...onPath]) {
    const there = await access(join(folder, "initdb"), constants.X_OK).then(() => true, () => false); // biome-ignore format: one line reads better
    if (there && (major === undefined || (await majorOf(folder)) === major)) return folder;
  }
  const wanted = major === undefined ? "a server" : `a server of version ${major}, as the dump's,`;
  throw new Failure("tool_missing", `Cannot drill the dump: ${wanted} is wanted on this machine, there is none`, {
    hint: `Install postgresql${major === undefined ? "" : `-${major}`}, or name the folder of its initdb as the setting "bin".`,
  });
}

async function majorOf(folder: string): Promise<number> {
  const { stdout } = await promisify(execFile)(join(folder, "postgres"), ["--version"]).catch(() => ({ stdout: "" }));
  return Number.parseInt(/\s(\d+)/.exec(stdout)?.[1] ?? "", 10);
}

/**
 * Makes an empty server that nobody else can reach: no network, a socket in a folder of its own.
 * @param server.user Its superuser, who needs no password.
 */
export async function startServer(
  ctx: Context,
  { folder, user }: ServerHome,
  server: { readonly bin: string; readonly user: string },
): Promise<void> {
  const data = join(folder, "data");
  await ctx.disk.with(user ? { owner: user } : {}).makeDir(folder);
  const run = (program: string, args: string[]) =>
    promisify(execFile)(join(server.bin, program), args, {
      ...{ cwd: folder, signal: ctx.signal, env: { PATH: process.env.PATH ?? "", LC_ALL: "C", HOME: folder }, ...user },
    }).catch((cause: Error & { stderr?: string }) => {
      ctx.signal.throwIfAborted();
      const said = cause.stderr?.trim() || cause.message;
      const full = /no space left/i.test(said);
      throw new Failure(full ? "no_space" : "tool_missing", `Cannot start a server for the drill: ${said}`, { cause });
    });
  await ctx.step(`make a server in ${folder}`, async () => {
    const how = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"];
    await run("initdb", ["-D", data, "-U", server.user, ...how]);
    await writeFile(join(data, "postgresql.auto.conf"), configuration(folder));
  });
  await ctx.step(`start the server in ${folder}`, () =>
    run("pg_ctl", ["start", "-w", "-t", "60", "-D", data, "-l", join(folder, "log")]),
  );
}

/** It is thrown away in a moment, so it need not survive a power cut. */
const configuration = (folder: string) =>
  [
    ...["listen_addresses = ''", "port = 5432", "unix_socket_permissions = 0700"],
    `unix_socket_directories = '${folder.replaceAll("'", "''")}'`,
    ...[
      "fsync = off",
      "full_page_writes = off",
      "synchronous_commit = off",
      "wal_level = minimal",
      "max_wal_senders = 0",
    ],
    // As little memory as it runs with, shared memory above all: a container has 64 MB of it.
    ...["shared_buffers = 32MB", "max_parallel_maintenance_workers = 0", "max_parallel_workers_per_gather = 0"],
    ...["autovacuum = off", "logging_collector = off", ""],
  ].join("\n");

/** Ends a server, also one that a killed drill has left, and removes all of it. Nothing happens when there is none. */
export async function endServer(ctx: Pick<Context, "disk" | "step">, { folder }: ServerHome): Promise<void> {
  const data = join(folder, "data");
  const pid = Number.parseInt((await readFile(join(data, "postmaster.pid"), "utf8").catch(ignore("ENOENT"))) ?? "", 10);
  if (pid > 0 && (await isServerOf(pid, data))) await ctx.step(`end the server in ${folder}`, () => end(pid));
  await ctx.disk.removeTree(folder);
}

/** The pid of a server that lost its power may be another program's by now. A server works in the folder of its data. */
async function isServerOf(pid: number, data: string): Promise<boolean> {
  if (process.platform === "linux") return (await readlink(`/proc/${pid}/cwd`).catch(() => "")) === data;
  const { stdout } = await promisify(execFile)("ps", ["-o", "command=", "-p", String(pid)]).catch(() => ({
    stdout: "",
  }));
  return stdout.includes(data);
}

/** At once, without a last checkpoint; and without being asked when it does not go. */
async function end(pid: number): Promise<void> {
  const server = await identify(pid).catch(() => undefined);
  if (!server) return;
  for (const [signal, patienceMs] of [
    ["SIGQUIT", 10_000],
    ["SIGKILL", 5000],
  ] as const) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ESRCH") return;
      throw error;
    }
    for (const until = performance.now() + patienceMs; performance.now() < until; await delay(10)) {
      if ((await stateOf(server)) === "gone") return;
    }
  }
}
