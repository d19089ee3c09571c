import { type DestinationStream, type Logger, pino } from "pino";

/** Names of fields that never reach a log with their value. */
const secretFields = ["password", "token", "secret", "authorization", "PGPASSWORD", "rconPassword"];

/**
 * The log of a process, as JSON lines on standard error unless a destination is given: standard output belongs to a
 * runner's progress.
 * Fields that hold secrets are replaced wherever they stand two levels deep.
 */
export function createLog(
  name: string,
  level = "info",
  destination: DestinationStream = pino.destination({ fd: 2, sync: true }),
): Logger {
  const paths = secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);
  return pino({ name, level, redact: { paths, censor: "[redacted]" } }, destination);
}

export type { Logger };
