import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { Failure } from "../../shared/failures.ts";
import { readPassword } from "./connect.ts";
import type { PgDump } from "./pg-tools.ts";
import type { Settings } from "./settings.ts";

const maxStderrBytes = 8192;

/**
 * The text that pg_dump writes, as it comes. Ends well only when pg_dump did.
 * The password goes through its environment, where only this user and root can see it; nothing of our own
 * environment does.
 * @param system The server's identifier; with the database's name it makes the restrict key the same in every dump.
 * @throws {Failure} `tool_failed` with what pg_dump said.
 */
export async function* dumpOf(
  settings: Settings,
  tool: PgDump,
  { system, encoding, signal }: { system: string; encoding: string; signal: AbortSignal },
): AsyncGenerator<Buffer> {
  signal.throwIfAborted();
  const password = await readPassword(settings);
  const known = (option: string) => (tool.knows(option.replace(/=.*/, "")) ? [option] : []);
  const args = [
    "--no-password",
    `--host=${settings.host}`,
    `--port=${settings.port}`,
    `--username=${settings.user}`,
    "--format=plain",
    // Tablespaces are the server's, subscriptions hold passwords: neither belongs on a NAS or in another server.
    "--no-tablespaces",
    "--no-subscriptions",
    `--encoding=${encoding === "SQL_ASCII" ? "SQL_ASCII" : "UTF8"}`,
    ...known("--no-statistics"),
    ...known(`--restrict-key=${restrictKey(system, settings.database)}`),
    // A name with "=" in it would be taken for connection parameters: so it is one.
    `--dbname=dbname='${settings.database.replace(/[\\']/g, "\\$&")}'`,
  ];
  const child = spawn(tool.path, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH ?? "",
      LC_ALL: "C",
      ...(password !== undefined && { PGPASSWORD: password }),
      PGPASSFILE: "/dev/null",
      PGAPPNAME: "keepsake",
      PGCONNECT_TIMEOUT: String(Math.ceil(settings.connectTimeoutSeconds)),
      PGOPTIONS: "-c standard_conforming_strings=on -c statement_timeout=0",
    },
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    if (said.length < maxStderrBytes) said += text;
  });
  const ended = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  ended.catch(() => {});
  const stop = () => child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) yield chunk;
    const [status, killedBy] = await ended.catch((cause) => {
      throw new Failure("tool_missing", `Cannot run "${tool.path}": ${cause.message}`, { cause });
    });
    signal.throwIfAborted();
    if (status !== 0) {
      const reason = said.trim().slice(0, maxStderrBytes) || `ended by ${killedBy ?? `status ${status}`}`;
      throw new Failure("tool_failed", `Cannot dump the database "${settings.database}": ${without(reason, password)}`);
    }
  } finally {
    signal.removeEventListener("abort", stop);
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  }
}

/**
 * Fixed for a database, so that unchanged data gives the same file; another one for every server, so that a dump's
 * content cannot simply spell it.
 */
const restrictKey = (system: string, database: string) =>
  createHash("sha256")
    .update(JSON.stringify(["keepsake", system, database]))
    .digest("hex")
    .slice(0, 32);

const without = (text: string, secret: string | undefined) => (secret ? text.replaceAll(secret, "[redacted]") : text);
