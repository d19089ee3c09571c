import { createInterface } from "node:readline";

/** What a command tells people and asks them. Results go to standard output, all else to standard error. */
export interface Terminal {
  /** There is somebody who can be asked, and a line that can be redrawn. */
  readonly interactive: boolean;
  out(line: string): void;
  err(line: string): void;
  /** Redraws the last line; undefined takes it away. Nothing happens where lines cannot be redrawn. */
  redraw(line: string | undefined): void;
  /** @returns The answer; "" when the input ended, or the signal took the question back. */
  ask(question: string, signal?: AbortSignal): Promise<string>;
  /** Called for Ctrl-C and SIGTERM instead of ending the process. @returns Stops that. */
  onInterrupt(handler: (signal: NodeJS.Signals) => void): () => void;
}

export function processTerminal({ stdin, stdout, stderr, env } = process): Terminal {
  const interactive = Boolean(stdin.isTTY && stderr.isTTY) && env.TERM !== "dumb";
  let drawn = false;
  const clear = () => {
    if (drawn) stderr.write("\r\x1b[K");
    drawn = false;
  };
  return {
    interactive,
    out(line) {
      clear();
      stdout.write(`${line}\n`);
    },
    err(line) {
      clear();
      stderr.write(`${line}\n`);
    },
    redraw(line) {
      if (!interactive) return;
      clear();
      if (line === undefined) return;
      // A line that wraps could not be taken away again.
      stderr.write(line.slice(0, Math.max(1, (stderr.columns || 80) - 1)));
      drawn = true;
    },
    ask(question, signal) {
      clear();
      // Not readline's own line editing: it would take Ctrl-C for itself.
      const reader = createInterface({ input: stdin, terminal: false });
      stderr.write(question);
      return new Promise((resolve) => {
        const answered = (answer: string) => {
          signal?.removeEventListener("abort", taken);
          resolve(answer);
          reader.close();
          stdin.pause();
        };
        const taken = () => {
          stderr.write("\n");
          answered("");
        };
        reader.once("line", (line) => answered(line.trim()));
        reader.once("close", () => answered(""));
        signal?.addEventListener("abort", taken);
      });
    },
    onInterrupt(handler) {
      const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
      for (const signal of signals) process.on(signal, handler);
      return () => {
        for (const signal of signals) process.off(signal, handler);
      };
    },
  };
}
