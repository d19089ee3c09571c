import { writeSync } from "node:fs";

/** A line is a message, or fields and a message. An Error is a field of its own: `err`. */
export interface LogLine {
  (message: string): void;
  (fields: object, message?: string): void;
}

export interface Logger {
  readonly debug: LogLine;
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
  /** A log whose lines all have these fields. */
  child(fields: object): Logger;
}

/** The numbers that pino and bunyan give to levels, which log viewers know. */
const levels = { debug: 20, info: 30, warn: 40, error: 50, silent: 100 } as const;

/** Names of fields that never reach a log with their value. */
const secretFields = new Set(["password", "token", "secret", "authorization", "PGPASSWORD", "rconPassword"]);

/**
 * The log of a process, as JSON lines on standard error unless a destination is given: standard output belongs to a
 * runner's progress.
 * Fields that hold secrets are replaced wherever they stand two levels deep.
 */
export function createLog(
  name: string,
  level: keyof typeof levels = "info",
  destination: { write(line: string): unknown } = { write: toStandardError },
  always: object = {},
): Logger {
  const at = (lineLevel: keyof typeof levels): LogLine => {
    if (levels[lineLevel] < levels[level]) return () => {};
    return (fields: string | object, message?: string) => {
      const line = typeof fields === "string" ? { msg: fields } : { ...censored(fields), msg: message };
      const head = { level: levels[lineLevel], time: Date.now(), pid: process.pid, name };
      destination.write(`${JSON.stringify({ ...head, ...censored(always), ...line }, readable)}\n`);
    };
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => createLog(name, level, destination, { ...always, ...fields }),
  };
}

function censored(fields: object, depth = 0): object {
  const shown = Object.entries(fields).map(([key, value]) => {
    if (secretFields.has(key)) return [key, "[redacted]"];
    if (value instanceof Error) return [key, described(value)];
    return [key, isPlain(value) && depth < 2 ? censored(value, depth + 1) : value];
  });
  return Object.fromEntries(shown);
}

const isPlain = (value: unknown): value is object =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;

const readable = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);

/** At once, so that a process that dies right after it has told why. Nothing fails because nobody reads the log. */
function toStandardError(line: string): void {
  try {
    writeSync(2, line);
  } catch (error) {
    // A pipe that is full for the moment: the stream waits for its reader.
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") process.stderr.write(line);
  }
}

/** An error's own fields (`code`, `hint`) and its causes, with the stacks, which are not enumerable. */
function described(error: Error): object {
  const { name, message, stack, cause } = error;
  const rest = cause === undefined ? {} : { cause: cause instanceof Error ? described(cause) : cause };
  return { type: name, message, stack, ...censored(error), ...rest };
}
