/** How a function meets its platform: of-watchdog's variables, which OpenFaaS's own functions have too. Times in ms. */
export interface ServeSettings {
  readonly port: number;
  readonly host: string;
  /** What says on disk that calls are taken; absent behind a watchdog, which keeps one of its own. */
  readonly lockFile?: string;
  /** How long a call may take to come in, headers and body. */
  readonly readTimeoutMs: number;
  /** How long an answer may take in all, from the call's begin; not one that is followed live. */
  readonly writeTimeoutMs: number;
  /** How long until an answer begins; not one that is followed live. */
  readonly execTimeoutMs: number;
  /** Calls at once; 0 is no bound. */
  readonly maxInflight: number;
  /** How long calls are still taken after the signal to end: so long it takes until nobody sends any. */
  readonly noticeMs: number;
  /** How long ending may take in all: a pod is killed after 30 s. */
  readonly graceMs: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Behind a watchdog `upstream_port` is the function's and `port` the watchdog's; without one `port` is its own, or PORT,
 * as Knative has it.
 * @throws {RangeError} Naming every variable that cannot be used.
 */
export function readServeSettings(environment: Environment): ServeSettings {
  const problems: string[] = [];
  const read = <T>(name: string, parse: (text: string) => T | undefined, wanted: string, otherwise: T): T => {
    const text = environment[name];
    if (text === undefined || text === "") return otherwise;
    const value = parse(text);
    if (value === undefined) problems.push(`${name}: ${wanted} is wanted, is "${text}"`);
    return value ?? otherwise;
  };
  const number = (name: string, otherwise: number, most: number) =>
    read(name, (text) => wholeNumber(text, most), `a whole number up to ${most}`, otherwise);
  const time = (name: string, otherwise: number) =>
    read(name, parseDuration, 'a time such as "30s" or "1m30s"', otherwise);

  const isBehindWatchdog = (environment.upstream_port ?? "") !== "";
  const settings = {
    port: number("upstream_port", number("PORT", number("port", 8080, 65_535), 65_535), 65_535),
    host: environment.HOST || "0.0.0.0",
    ...(!isBehindWatchdog && { lockFile: `${environment.TMPDIR || "/tmp"}/.lock` }),
    readTimeoutMs: time("read_timeout", 60_000),
    writeTimeoutMs: time("write_timeout", 60_000),
    execTimeoutMs: time("exec_timeout", 60_000),
    maxInflight: number("max_inflight", 100, 1_000_000),
    noticeMs: time("healthcheck_interval", 5000),
    graceMs: 25_000,
  };
  if (problems.length > 0) throw new RangeError(`Cannot serve: ${problems.join("; ")}`);
  return settings;
}

function wholeNumber(text: string, most: number): number | undefined {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return number <= most ? number : undefined;
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's durations of whole units, or a plain number of seconds. @returns ms; undefined when it is neither. */
export function parseDuration(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) return undefined;
  let sumMs = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
    sumMs += Number(count) * (unitsMs[unit ?? ""] ?? 0);
  return sumMs;
}
