import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { TelnetError } from "./telnet-error.ts";
import { readLines } from "./telnet-lines.ts";

/*
 * The console of a dedicated server (its TelnetPort, 8081), as its own code and many bots have it: plain lines.
 * It asks for the password, unless it has none; then it greets with a banner. From then on it sends all lines of the
 * server's log too, in between. A command is carried out in the game's next frame, its answer comes in one go, after a
 * line of the log that repeats it (a setting of the server leaves that out). A command that does not exist is answered
 * with an error, never with a line of the log: so one that cannot exist tells where the answer before it has ended.
 */

export interface TelnetOptions {
  host: string;
  port: number;
  /** Absent for a console without one. */
  password?: string | undefined;
  /** For the login, and for each answer. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

export interface Telnet {
  /** What the banner says is played. */
  readonly world?: string;
  readonly game?: string;
  /**
   * Sends one line and waits for all of its answer.
   * @returns The lines of the answer, without empty ones and those of the log.
   * @throws {TelnetError} `not_started`, `unreachable`, `timeout`.
   * @throws {RangeError} For a line that is several.
   */
  command(line: string): Promise<string[]>;
  close(): void;
}

const maxAnswerLines = 10_000;
/** "2025-02-23T19:39:43 1397.387 INF …" */
const logLine = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d \d+[.,]\d+ (INF|WRN|ERR|EXC|ASR) /;

/**
 * Opens the console and logs in, with one try: a server blocks who fails too often.
 * @throws {TelnetError}
 * @throws The signal's reason, when it aborts.
 */
export async function connectTelnet(options: TelnetOptions): Promise<Telnet> {
  const { host, port, timeoutMs, signal } = options;
  signal?.throwIfAborted();
  const socket = connect({ host, port });
  // A line that breaks while nobody waits for it shows at the next read.
  socket.on("error", () => {});
  const lines = readLines(socket);
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new TelnetError("unreachable", "the server closed the connection");
    return value;
  };
  const send = (line: string) => socket.write(`${line}\r\n`);

  /** Ends the wait by ending the connection, so that nothing goes on behind the caller's back. */
  const limited = async <T>(what: string, wait: () => Promise<T>): Promise<T> => {
    const late = () => socket.destroy(new TelnetError("timeout", `${what} did not come within ${timeoutMs / 1000} s`));
    const timer = setTimeout(late, timeoutMs);
    const abort = () => socket.destroy(new Error("aborted"));
    signal?.addEventListener("abort", abort, { once: true });
    try {
      return await wait();
    } catch (error) {
      socket.destroy();
      signal?.throwIfAborted();
      if (error instanceof TelnetError) throw error;
      throw new TelnetError("unreachable", (error as Error).message, { cause: error });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  };

  await limited("the connection", () => once(socket, "connect"));
  const banner = await limited("the console's greeting", () => logIn(next, send, options.password));

  return {
    ...banner,
    async command(line) {
      if (/[\0\r\n]/.test(line)) throw new RangeError("Cannot send to the console: one line without NUL is wanted");
      const fence = `keepsake-${randomBytes(6).toString("hex")}`;
      const end = `*** ERROR: unknown command '${fence}'`;
      return limited(`the answer to ${line.split(" ", 1)[0]}`, async () => {
        const answer: string[] = [];
        socket.write(`${line}\r\n${fence}\r\n`);
        for (let said = await next(); said !== end; said = await next()) {
          if (said.trim() === "" || logLine.test(said)) continue;
          if (said.startsWith("*** ERROR: ") && said.includes("can only be executed when a game is started")) {
            throw new TelnetError("not_started", "the server has not loaded its world yet");
          }
          answer.push(said);
          if (answer.length > maxAnswerLines) throw new TelnetError("protocol", "an answer that has no end came");
        }
        return answer;
      });
    },
    close() {
      socket.destroy();
    },
  };
}

/** @returns What the banner tells. */
async function logIn(
  next: () => Promise<string>,
  send: (line: string) => void,
  password: string | undefined,
): Promise<{ world?: string; game?: string }> {
  const banner: { world?: string; game?: string } = {};
  let asked = false;
  for (let read = 0; read < maxAnswerLines; read++) {
    const line = await next().catch((error: unknown) => {
      // Whoever is blocked is let in and shown out, without a word.
      if (read > 0 || !(error instanceof TelnetError) || error.kind !== "unreachable") throw error;
      const why = "the server closed the connection at once: it does so for a while after too many failed logins";
      throw new TelnetError("blocked", why, { cause: error });
    });
    if (/^Too many failed login attempts/.test(line)) {
      throw new TelnetError("blocked", "the server says that there were too many failed logins");
    }
    if (/^Password incorrect/.test(line)) throw new TelnetError("wrong_password", "the server refuses the password");
    if (/^Please enter password:/.test(line) && !asked) {
      asked = true;
      if (!password) throw new TelnetError("wrong_password", "the server asks for a password, and none is set");
      if (/[\0\r\n]/.test(password)) throw new TelnetError("wrong_password", "the password has more than one line");
      send(password);
    }
    const [, name, value] = /^(World|Game name): +(.*\S)/.exec(line) ?? [];
    if (name === "World" && value !== undefined) banner.world = value;
    if (name === "Game name" && value !== undefined) banner.game = value;
    if (/^Press 'help' to get a list of all commands/.test(line)) return banner;
  }
  throw new TelnetError("protocol", "a console of 7 Days to Die is wanted: is this its port?");
}
