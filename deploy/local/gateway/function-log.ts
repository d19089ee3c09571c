import { namespace } from "./deployments.ts";

/** One line of a function's log, as `/system/logs` sends it (`Message` of faas-provider's logs). */
export interface LogLine {
  readonly name: string;
  readonly namespace: string;
  readonly instance: string;
  /** RFC 3339. */
  readonly timestamp: string;
  readonly text: string;
}

export interface LogQuery {
  readonly name: string;
  /** Only lines from this moment on, in ms since the epoch. */
  readonly sinceMs?: number;
  /** Only so many of the newest; all when absent. */
  readonly tail?: number;
}

export interface FunctionLogs {
  append(name: string, text: string): void;
  /** Lines that are there, oldest first. */
  read(query: LogQuery): LogLine[];
  /** Lines of a function that are still to come, until `signal` aborts. */
  follow(name: string, signal: AbortSignal): AsyncGenerator<LogLine>;
}

/** The newest lines of each function's log, in memory. */
export function createFunctionLogs({ now, linesKept = 1000 }: { now: () => number; linesKept?: number }): FunctionLogs {
  const kept = new Map<string, LogLine[]>();
  const followers = new Set<(line: LogLine) => void>();

  return {
    append(name, text) {
      const line = { name, namespace, instance: name, timestamp: new Date(now()).toISOString(), text };
      const lines = kept.get(name) ?? [];
      kept.set(name, lines);
      lines.push(line);
      if (lines.length > linesKept) lines.shift();
      for (const follower of followers) follower(line);
    },
    read({ name, sinceMs = Number.NEGATIVE_INFINITY, tail = Infinity }) {
      const lines = (kept.get(name) ?? []).filter((line) => Date.parse(line.timestamp) >= sinceMs);
      return tail === Infinity ? lines : lines.slice(-tail);
    },
    follow(name, signal) {
      const waiting: LogLine[] = [];
      let wake = () => {};
      const follower = (line: LogLine) => {
        if (line.name === name) waiting.push(line);
        wake();
      };
      const stop = () => {
        followers.delete(follower);
        wake();
      };
      // Registered here, not at the first read, so that no line falls between `read` and `follow`.
      followers.add(follower);
      signal.addEventListener("abort", stop, { once: true });
      if (signal.aborted) stop();
      return (async function* () {
        try {
          while (!signal.aborted) {
            yield* waiting.splice(0);
            if (waiting.length > 0 || signal.aborted) continue;
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          }
        } finally {
          stop();
        }
      })();
    },
  };
}
