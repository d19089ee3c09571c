import { type DestinationStream, type Logger, pino } from "pino";

/** Names of fields that never reach a log with their value. */
const secretFields = new Set(["password", "token", "secret", "authorization", "PGPASSWORD", "rconPassword"]);

/**
 * The log of a process, as JSON lines on standard error unless a destination is given: standard output belongs to a
 * runner's progress. Fields that hold secrets are replaced wherever they stand.
 */
export function createLog(
  name: string,
  level = "info",
  destination: DestinationStream = pino.destination({ dest: 2, sync: true }),
): Logger {
  const options = {
    formatters: { log: withoutSecrets },
    // It has been said by then.
    serializers: { err: (said: unknown) => said },
    // For the fields of a child, which no formatter sees.
    redact: { paths: [...secretFields].flatMap((field) => [field, `*.${field}`]), censor: "[redacted]" },
  };
  return pino({ name, level, ...options }, destination);
}

/** pino's own `redact` takes paths of a known depth. */
function withoutSecrets(fields: object): Record<string, unknown> {
  const told = new WeakSet<object>();
  const look = (value: unknown): unknown => {
    if (typeof value === "bigint") return String(value);
    if (typeof value !== "object" || value === null || "toJSON" in value) return value;
    // It leads back to itself, or is there twice.
    if (told.has(value)) return "[again]";
    told.add(value);
    if (Array.isArray(value)) return value.map(look);
    const parts = value instanceof Error ? sayingOf(value) : value;
    return Object.fromEntries(
      Object.entries(parts).map(([key, part]) => [key, secretFields.has(key) ? "[redacted]" : look(part)]),
    );
  };
  return look(fields) as Record<string, unknown>;
}

/** With the fields that somebody has added to it: a code, a hint. */
function sayingOf(error: Error): object {
  const { name, message, stack, cause } = error;
  return { ...error, type: name, message, stack, ...(cause !== undefined && { cause }) };
}

export type { Logger };
