import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

export interface CommandOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  argv0?: string;
  stdin?: string;
}

/**
 * Runs a program to its end.
 * @returns What it printed.
 * @throws {Error} When it did not end with 0, with what it said.
 */
export async function command(
  program: string,
  args: readonly string[],
  { stdin, ...options }: CommandOptions = {},
): Promise<string> {
  const child = spawn(program, args, { ...options, stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => {}); // it may end without reading
  child.stdin.end(stdin ?? "");
  const [printed, said, status] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | string>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve(code ?? signal ?? "?"));
    }),
  ]);
  if (status === 0) return printed;
  const words = said.trim() || printed.trim();
  throw new Error(`Cannot run "${[program, ...args].join(" ")}": it ended with ${status}${words && `:\n${words}`}`);
}
