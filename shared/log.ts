import { type Logger, pino } from "pino";

/** Names of fields that never reach a log with their value. */
const secretFields = ["password", "token", "secret", "authorization", "PGPASSWORD", "rconPassword"];

/**
 * The log of a process, as JSON lines on standard error: standard output belongs to a runner's progress.
 * Fields that hold secrets are replaced wherever they stand two levels deep.
 */
export function createLog(name: string, level = "info"): Logger {
  const paths = secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);
  return pino({ name, level, redact: { paths, censor: "[redacted]" } }, pino.destination({ fd: 2, sync: true }));
}

export type { Logger };
