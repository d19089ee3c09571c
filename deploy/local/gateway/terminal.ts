import type { Cron } from "./cron.ts";

/** A moment for people: "Tue 24 Nov 06:00 GMT+1", in local time unless a zone is given. */
function localTime(atMs: number, timeZone?: string): string {
  const format = new Intl.DateTimeFormat("en-GB", {
    weekday: "short",
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
    ...(timeZone && { timeZone }),
  });
  const part = Object.fromEntries(format.formatToParts(atMs).map(({ type, value }) => [type, value]));
  return `${part.weekday} ${part.day} ${part.month} ${part.hour}:${part.minute} ${part.timeZoneName}`;
}

export interface Greeting {
  readonly url: string;
  readonly configPath: string;
  readonly tokenFile: string;
  /** Where events go, for people. */
  readonly nats: string;
  readonly functions: readonly { readonly name: string; readonly topic?: string | undefined }[];
  readonly scheduled: ReturnType<Cron["list"]>;
  readonly timeZone?: string;
}

/** What `make up` says when it is ready. */
export function greeting({ url, configPath, tokenFile, nats, functions, scheduled, timeZone }: Greeting): string {
  const width = Math.max(...functions.map(({ name }) => name.length));
  const lines = functions.map(({ name, topic }) => {
    const entry = scheduled.find((candidate) => candidate.name === name);
    const when = !entry
      ? topic === undefined
        ? "when called"
        : `when called, and on ${topic.replaceAll(",", ", ")}`
      : entry.nextMs === Infinity
        ? `never: ${entry.schedule}`
        : `next ${localTime(entry.nextMs, timeZone)}  (${entry.schedule})`;
    return `  ${name.padEnd(width)}  ${when}`;
  });
  return [
    `Keepsake's gateway listens on ${url}`,
    `  configuration  ${configPath}`,
    `  token          ${tokenFile}  (also the password of "admin" for faas-cli login)`,
    `  NATS           ${nats}`,
    "",
    ...lines,
    "",
    "Ctrl-C ends it; a run in progress goes on.",
    "",
  ].join("\n");
}

const levels: Readonly<Record<number, string>> = { 40: " warning:", 50: " error:", 60: " fatal:" };

/** A line of the log for people; what is no JSON stays as it is. */
export function readableLogLine(line: string, timeZone?: string): string {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(line);
  } catch {
    return line;
  }
  const { level, time, pid: _, hostname: __, name, msg = "", err, ...rest } = fields;
  const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", ...(timeZone && { timeZone }) });
  const error = (err as { message?: string } | undefined)?.message;
  const details = Object.entries({ ...rest, ...(error !== undefined && { error }) }).map(
    ([key, value]) => ` ${key}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return `${clock.format(time as number)} ${name}:${levels[level as number] ?? ""} ${msg}${details.join("")}\n`;
}
