import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { chown, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { freePort } from "../free-port.ts";
import { findServerBin } from "./server-bin.ts";

const run = promisify(execFile);

export interface LabServer {
  /** Of the socket folder where there is one, for clients that like it; TCP always works too. */
  readonly socketFolder?: string;
  readonly host: "127.0.0.1";
  readonly port: number;
  /** A superuser. */
  readonly user: "postgres";
  readonly passwordFile: string;
  readonly bin: string;
  /** Where its data is. */
  readonly folder: string;
}

export interface LabServerOptions {
  /**
   * A folder of its own for the server, made when it is missing. As root the data lies elsewhere, in a folder that
   * follows from this path: a server refuses to run as root, and the user `postgres` may not be able to enter here.
   */
  readonly folder: string;
  /** Where its data lies instead; whoever the server runs as has to get there. */
  readonly dataFolder?: string;
  /** Folder of initdb and postgres; what `findServerBin` finds when absent. */
  readonly bin?: string;
  /** A free one when absent; a server that was made before keeps its own. */
  readonly port?: number;
  /** Faster, and lost at a power cut: for tests. */
  readonly volatile?: boolean;
  /** Further lines of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * Starts a private PostgreSQL server on the loopback address and a socket, making it first where it is missing.
 * Everybody needs a password. It goes on running when this process ends; a running one is found again.
 */
export async function startLabServer(options: LabServerOptions): Promise<LabServer> {
  const bin = options.bin ?? (await findServerBin());
  const owner = await serverUser();
  const folder = options.dataFolder ?? (await defaultDataFolder(options.folder, owner));
  const data = join(folder, "data");
  await mkdir(options.folder, { recursive: true });
  const passwordFile = passwordFileIn(options.folder);
  // Without its password it belongs to a folder that was deleted and made again: its data lies elsewhere, as root.
  if (!(await exists(confIn(data))) || !(await exists(passwordFile))) {
    await stopLabServer({ folder, bin });
    await rm(data, { recursive: true, force: true });
    await make({ ...options, bin, folder, data, passwordFile, owner });
  }
  if ((await labServerPid(data)) === undefined) {
    await forgetLostServer(data);
    await as(owner, join(bin, "pg_ctl"), ["start", "-w", "-t", "60", "-D", data, "-l", join(folder, "log")], folder);
  }
  return describe(options.folder, folder, bin);
}

/** A server that was made before, whether it runs or not; undefined when there is none. */
export async function findLabServer({
  folder,
  ...options
}: Pick<LabServerOptions, "folder" | "bin">): Promise<LabServer | undefined> {
  const dataIn = await defaultDataFolder(folder, await serverUser());
  if (!(await exists(confIn(join(dataIn, "data")))) || !(await exists(passwordFileIn(folder)))) return undefined;
  return describe(folder, dataIn, options.bin ?? (await findServerBin()));
}

/** Written last, so it also says that the server was made to its end. */
const confIn = (data: string) => join(data, "keepsake.conf");
const passwordFileIn = (folder: string) => join(resolve(folder), "password");

async function describe(given: string, folder: string, bin: string): Promise<LabServer> {
  const port = Number(/^port = (\d+)$/m.exec(await readFile(confIn(join(folder, "data")), "utf8"))?.[1]);
  const socket = join(folder, "socket");
  return {
    host: "127.0.0.1",
    port,
    user: "postgres",
    passwordFile: passwordFileIn(given),
    bin,
    folder,
    ...(socketFits(socket) && { socketFolder: socket }),
  };
}

/** Ends a server, its connections too. Nothing happens when it is not running. */
export async function stopLabServer({ folder, bin }: Pick<LabServer, "folder" | "bin">): Promise<void> {
  const data = join(folder, "data");
  if ((await labServerPid(data)) === undefined) return;
  await as(await serverUser(), join(bin, "pg_ctl"), ["stop", "-w", "-m", "fast", "-D", data], folder);
}

/** Stops a server and deletes everything of it. */
export async function removeLabServer(server: Pick<LabServer, "folder" | "bin" | "passwordFile">): Promise<void> {
  await stopLabServer(server);
  await rm(server.folder, { recursive: true, force: true });
  await rm(dirname(server.passwordFile), { recursive: true, force: true });
}

interface User {
  uid: number;
  gid: number;
}

/** Whom a server has to run as; undefined when it may run as we do. */
async function serverUser(): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const line = (await readFile("/etc/passwd", "utf8")).split("\n").find((entry) => entry.startsWith("postgres:"));
  if (!line)
    throw new Error('Cannot start PostgreSQL as root: a user "postgres" is wanted (Debian\'s package makes it)');
  const [, , uid, gid] = line.split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

async function defaultDataFolder(given: string, owner: User | undefined): Promise<string> {
  const folder = resolve(given);
  if (!owner) return join(folder, "server");
  const name = createHash("sha256").update(folder).digest("hex").slice(0, 12);
  return join("/var/lib/postgresql", `keepsake-${name}`);
}

interface Make extends LabServerOptions {
  bin: string;
  data: string;
  passwordFile: string;
  owner: User | undefined;
}

async function make({ bin, folder, data, passwordFile, owner, ...options }: Make): Promise<void> {
  const own = async (path: string) => owner && chown(path, owner.uid, owner.gid);
  const password = randomBytes(18).toString("base64url");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await own(folder);
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  const copy = join(folder, "initdb-password");
  await writeFile(copy, `${password}\n`, { mode: 0o600 });
  await own(copy);
  const initdb = [
    "-D",
    data,
    "-U",
    "postgres",
    "--auth=scram-sha-256",
    `--pwfile=${copy}`,
    "--encoding=UTF8",
    "--locale=C.UTF-8",
  ];
  await as(
    owner,
    join(bin, "initdb"),
    [...initdb, "--no-instructions", ...(options.volatile ? ["--no-sync"] : [])],
    folder,
  );
  await rm(copy);
  const socket = join(folder, "socket");
  await mkdir(socket, { recursive: true, mode: 0o700 });
  await own(socket);
  const settings = {
    listen_addresses: "'127.0.0.1'",
    port: String(options.port ?? (await freePort())),
    unix_socket_directories: socketFits(socket) ? `'${socket}'` : "''",
    logging_collector: "off",
    ...(options.volatile && { fsync: "off", full_page_writes: "off", synchronous_commit: "off" }),
    ...options.settings,
  };
  await writeFile(join(data, "postgresql.conf"), "\ninclude 'keepsake.conf'\n", { flag: "a" });
  const conf = join(folder, "keepsake.conf");
  await writeFile(
    conf,
    Object.entries(settings)
      .map(([key, value]) => `${key} = ${value}\n`)
      .join(""),
  );
  await own(conf);
  await rename(conf, confIn(data));
}

/** A socket's path has room for 107 bytes. */
const socketFits = (folder: string) => Buffer.byteLength(join(folder, ".s.PGSQL.65535")) <= 107;

/** @returns The server's process, undefined when none runs on this data. */
async function labServerPid(data: string): Promise<number | undefined> {
  const pid = await pidIn(data);
  if (pid === undefined || (await isAnotherProgram(pid))) return undefined;
  try {
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM" ? pid : undefined;
  }
}

/** A server would refuse to start for the pid file of one that lost its power, when another program has that pid now. */
async function forgetLostServer(data: string): Promise<void> {
  const pid = await pidIn(data);
  if (pid !== undefined && (await isAnotherProgram(pid))) await rm(join(data, "postmaster.pid"), { force: true });
}

async function pidIn(data: string): Promise<number | undefined> {
  const pid = Number.parseInt(await readFile(join(data, "postmaster.pid"), "utf8").catch(() => ""), 10);
  return pid > 0 ? pid : undefined;
}

/** Known on Linux alone. */
async function isAnotherProgram(pid: number): Promise<boolean> {
  const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
  return name !== "" && name.trim() !== "postgres";
}

async function as(user: User | undefined, file: string, args: string[], cwd: string): Promise<void> {
  const env = { PATH: process.env.PATH ?? "", LC_ALL: "C", HOME: cwd };
  await run(file, args, { cwd, env, ...(user && user) }).catch((error: Error & { stderr?: string }) => {
    throw new Error(`Cannot run ${file}: ${error.stderr?.trim() || error.message}`, { cause: error });
  });
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );
