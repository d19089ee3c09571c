import { readFile } from "node:fs/promises";
import pg from "pg";
import { Failure, type FailureCode } from "../../shared/failures.ts";
import type { Settings } from "./settings.ts";

export type Connection = pg.Client;

/** @returns undefined when there is no such file: the server then has to trust this user, or asks in vain. */
export async function readPassword({ passwordFile }: Settings): Promise<string | undefined> {
  const text = await readFile(passwordFile, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw new Failure("source_unreachable", `Cannot read the password file "${passwordFile}": ${error.message}`);
  });
  return text?.replace(/\r?\n$/, "");
}

/**
 * What every session of this app sets, so that nothing in a database decides how its statements are read: names mean
 * the server's own objects, a backslash is a backslash.
 */
const sessionOptions = [
  "search_path=pg_catalog,pg_temp",
  "standard_conforming_strings=on",
  "bytea_output=hex",
  "lock_timeout=0",
  "statement_timeout=0",
  "default_transaction_read_only=off",
  "client_min_messages=warning",
];

/** The options as libpq and the server's start-up packet take them. */
const startupOptions = sessionOptions.map((option) => `-c ${option}`).join(" ");

/** Not the app's own, so that it can be renamed meanwhile. */
export const maintenanceDatabase = ({ database }: Settings) => (database === "postgres" ? "template1" : "postgres");

export interface ConnectOptions {
  database: string;
  /** Another role than the admin. */
  as?: { user: string; password: string };
  /** How the server's lists name this session; sessions of a run that died are found by it. */
  name?: string;
  signal?: AbortSignal;
}

/**
 * Runs something with a connection of its own. It is closed afterwards, and at once when the run is aborted.
 * @throws {Failure} `source_unreachable`, `source_missing` when there is no such database.
 */
export async function withConnection<T>(
  settings: Settings,
  { database, as, name = "keepsake", signal }: ConnectOptions,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const password = as ? as.password : await readPassword(settings);
  const connection = new pg.Client({
    host: settings.host,
    port: settings.port,
    user: as?.user ?? settings.user,
    password: password ?? "",
    database,
    connectionTimeoutMillis: settings.connectTimeoutSeconds * 1000,
    application_name: name,
    options: startupOptions,
    keepAlive: true,
  });
  // A connection that ends between two statements must not end the process; the next statement fails then.
  connection.on("error", () => {});
  const abort = () => connection.connection.stream.destroy();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    await connection.connect().catch((cause) => {
      throw connectFailure(settings, database, cause);
    });
    return await use(connection);
  } catch (error) {
    signal?.throwIfAborted();
    throw serverFailure(error, `use the database "${database}"`);
  } finally {
    signal?.removeEventListener("abort", abort);
    await connection.end().catch(() => {});
  }
}

function connectFailure(settings: Settings, database: string, cause: Error & { code?: string }): Failure {
  const where = `${settings.host}:${settings.port}`;
  if (cause.code === "3D000") {
    return new Failure("source_missing", `Cannot find the database "${database}" on ${where}: it does not exist`, {
      cause,
    });
  }
  const message = `Cannot connect to the database "${database}" on ${where}: ${cause.message}`;
  if (cause.code?.startsWith("28")) {
    return new Failure("source_unreachable", message, {
      cause,
      hint: `The settings "user" (${settings.user}) and "passwordFile" (${settings.passwordFile}) say who connects; with a server that asks the operating system (peer), name it as host: 127.0.0.1.`,
    });
  }
  return new Failure("source_unreachable", message, { cause, hint: "Is the server running, and reachable from here?" });
}

/** The rows of a query, with values sent apart from it. */
export async function rows<Row extends object>(
  connection: Connection,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  return (await connection.query<Row & pg.QueryResultRow>(text, values)).rows;
}

/** SQLSTATE of what the server answered, where it did. */
export const sqlState = (error: unknown): string | undefined => {
  const code = (error as { code?: unknown }).code;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
};

/** What a server answered, or that it went away, as a Failure; everything else as it is. */
export function serverFailure(cause: unknown, what: string, code: FailureCode = "tool_failed"): unknown {
  if (cause instanceof Failure || !(cause instanceof Error)) return cause;
  const state = sqlState(cause);
  const message = `Cannot ${what}: ${cause.message}`;
  if (state === "53100") {
    return new Failure("no_space", message, {
      cause,
      hint: "Free some space on the server's disk, then run this again.",
    });
  }
  if (/^(57P0|08)/.test(state ?? "") || /^Connection terminated|ECONNRESET|EPIPE/.test(cause.message)) {
    return new Failure("source_unreachable", message, { cause });
  }
  return state === undefined ? cause : new Failure(code, message, { cause });
}
