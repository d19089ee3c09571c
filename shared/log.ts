import { writeSync } from "node:fs";
import { hostname } from "node:os";

type LogMethod = {
  (fields: object, message?: string): void;
  (message: string): void;
};

export interface Logger {
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  /** The same log, with these fields in every line. */
  child(fields: object): Logger;
}

interface Destination {
  write(line: string): void;
}

/** As pino and bunyan number them: programs that show such logs know them. */
const levels = { info: 30, warn: 40, error: 50, silent: Number.POSITIVE_INFINITY } as const;

/** Names of fields that never reach a log with their value. */
const secretFields = new Set(["password", "token", "secret", "authorization", "PGPASSWORD", "rconPassword"]);

/**
 * The log of a process, as JSON lines on standard error unless a destination is given: standard output belongs to a
 * runner's progress. Fields that hold secrets are replaced wherever they stand.
 *
 * Not a package's: loading one takes a tenth of the time of a run in which nothing changed.
 */
export function createLog(
  name: string,
  level: keyof typeof levels = "info",
  destination: Destination = standardError,
): Logger {
  const own = { pid: process.pid, hostname: hostname(), name };
  const loggerWith = (bindings: object): Logger => {
    const method = (of: keyof typeof levels): LogMethod => {
      if (levels[of] < levels[level]) return () => {};
      return (first: object | string, message?: string) => {
        const fields = typeof first === "string" ? {} : first;
        const msg = typeof first === "string" ? first : message;
        const line = { level: levels[of], time: Date.now(), ...own, ...bindings, ...fields, ...(msg && { msg }) };
        destination.write(`${textOf(line)}\n`);
      };
    };
    return {
      info: method("info"),
      warn: method("warn"),
      error: method("error"),
      child: (fields) => loggerWith({ ...bindings, ...fields }),
    };
  };
  return loggerWith({});
}

function textOf(line: object): string {
  const told = new WeakSet<object>();
  return JSON.stringify(line, (key, value: unknown) => {
    if (secretFields.has(key)) return "[redacted]";
    if (typeof value === "bigint") return String(value);
    if (typeof value !== "object" || value === null) return value;
    // It leads back to itself, or is there twice.
    if (told.has(value)) return "[again]";
    told.add(value);
    return value instanceof Error ? sayingOf(value) : value;
  });
}

/** With the fields that somebody has added to it: a code, a hint. */
function sayingOf(error: Error): object {
  const { name, message, stack, cause } = error;
  return { ...error, type: name, message, stack, ...(cause !== undefined && { cause }) };
}

const standardError: Destination = {
  write(line) {
    const bytes = Buffer.from(line);
    for (let done = 0; done < bytes.length; ) {
      try {
        done += writeSync(2, bytes, done);
      } catch (error) {
        // A pipe that is full; whoever reads it needs a moment.
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      }
    }
  },
};
