import { execFile } from "node:child_process";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { count } from "../../shared/words.ts";
import { type Client, HttpError, ProblemError } from "./client.ts";
import { CliError, endsAll } from "./exit.ts";

/** One finding of the doctor's. */
export interface Check {
  readonly what: string;
  readonly ok: boolean;
  readonly found: string;
  readonly remedy?: string;
}

/** In words, for people. */
export const describeCheck = ({ what, ok, found, remedy }: Check): string[] => [
  `${ok ? "ok     " : "PROBLEM"}  ${what}: ${found}`,
  ...(remedy === undefined ? [] : remedy.split("\n").map((line) => `         ${line}`)),
];

const wantedNode = 24;

export function checkNode(version: string): Check {
  const ok = Number.parseInt(version, 10) >= wantedNode;
  return {
    what: "Node",
    ok,
    found: version,
    ...(!ok && { remedy: `Node ${wantedNode} is wanted: make setup brings it` }),
  };
}

/** Only its owner may read the token. */
export async function checkTokenFile(path: string | undefined): Promise<Check> {
  const what = "token file";
  if (path === undefined) {
    return { what, ok: false, found: "none named", remedy: "Restores, overrides and pins need it: TOKEN_FILE=…" };
  }
  const info = await stat(path).catch(() => undefined);
  if (!info?.isFile())
    return { what, ok: false, found: `"${path}" is not there`, remedy: "Name the right one: TOKEN_FILE=…" };
  const mode = (info.mode & 0o777).toString(8).padStart(4, "0");
  const ok = (info.mode & 0o077) === 0;
  return {
    what,
    ok,
    found: `${path}, mode ${mode}`,
    ...(!ok && { remedy: `Others can read it: chmod 600 '${path}'` }),
  };
}

/** Asks for the end of a run that nobody has: who may not cancel is told so before the run is looked for. */
export async function checkToken(client: Client, fn: string): Promise<Check> {
  const what = "token";
  try {
    await client.cancel(fn, "no-such-run");
  } catch (error) {
    const status = statusOf(error);
    if (status === 401 || status === 403) {
      return { what, ok: false, found: `${fn} does not accept it`, remedy: "Name this gateway's own: TOKEN_FILE=…" };
    }
    if (status !== 404) return { what, ok: false, ...failureOf(error) };
  }
  return { what, ok: true, found: "accepted" };
}

/**
 * The function answers, and so does the NAS, which it reads its state from.
 * @throws {CliError} `unreachable`.
 */
export async function checkFunction(client: Client, fn: string): Promise<Check> {
  const what = fn;
  try {
    const { apps } = await client.state(fn);
    return { what, ok: true, found: `${count(apps.length, "app")}, the NAS answers` };
  } catch (error) {
    return notAnswered(what, error);
  }
}

/**
 * The page is drawn.
 * @throws {CliError} `unreachable`.
 */
export async function checkStatus(client: Client): Promise<Check> {
  const what = "status";
  try {
    return { what, ok: true, found: await client.overall() };
  } catch (error) {
    return notAnswered(what, error);
  }
}

/**
 * People are told: each channel takes messages, or there is none because nobody has set one up.
 * @throws {CliError} `unreachable`.
 */
export async function checkNotify(client: Client): Promise<Check> {
  const what = "notify";
  try {
    const { configured, channels, nats, waiting, parked = [] } = await client.notifyState();
    const remedy = "To be told by Telegram: see the README, then make test-telegram";
    if (!configured) return { what, ok: true, found: "no channel is set up, events are only logged", remedy };
    const refusing = channels.find((channel) => channel.refusing);
    if (refusing?.refusing) {
      const { since, why, hint } = refusing.refusing;
      const found = `${refusing.name} refuses since ${since}: ${why}`;
      return { what, ok: false, found, remedy: `${hint ? `${hint}\n` : ""}Then: make test-telegram` };
    }
    if (!nats.connected) return { what, ok: false, found: `events do not come: ${nats.why}` };
    if (parked.length > 0)
      return { what, ok: false, found: `${count(parked.length, "event")} put aside`, remedy: "make retry-parked" };
    return {
      what,
      ok: true,
      found: `${channels.map(({ name }) => name).join(", ")}; ${count(waiting, "event")} to tell`,
    };
  } catch (error) {
    return notAnswered(what, error);
  }
}

/** Where Debian and Homebrew keep the server's programs, which are not on the PATH. */
const postgresFolders = ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"];

/** The programs that a backup of PostgreSQL on this machine starts. */
export async function checkPostgres(): Promise<Check> {
  const what = "PostgreSQL tools";
  const places = await Promise.all(
    postgresFolders.map(async (folder) =>
      (await readdir(folder).catch(() => [])).map((name) => join(folder, name, "bin")),
    ),
  );
  for (const place of [
    "",
    ...places
      .flat()
      .filter((path) => /postgresql(@?\d+)?\//.test(path))
      .sort()
      .reverse(),
  ]) {
    const run = promisify(execFile)(join(place, "pg_dump"), ["--version"]);
    const version = await run.then(({ stdout }) => stdout.trim()).catch(() => undefined);
    if (version) return { what, ok: true, found: version };
  }
  return { what, ok: false, found: "pg_dump is not there", remedy: "make setup installs it, or says how" };
}

/** @throws {CliError} When nobody else will answer either. */
function notAnswered(what: string, error: unknown): Check {
  if (endsAll(error)) throw error;
  if (statusOf(error) === 404)
    return { what, ok: false, found: "not deployed on this gateway", remedy: "Deploy stack.yml" };
  return { what, ok: false, ...failureOf(error) };
}

function statusOf(error: unknown): number | undefined {
  if (error instanceof ProblemError) return error.problem.status;
  return error instanceof HttpError ? error.status : undefined;
}

function failureOf(error: unknown): { found: string; remedy?: string } {
  if (!(error instanceof CliError)) throw error;
  return { found: error.message, ...(error.hint && { remedy: error.hint }) };
}
