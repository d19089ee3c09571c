import { spawn } from "node:child_process";

/** A call of OpenFaaS's own client, which has the user's login at the gateway. */
export interface FaasCli {
  readonly args: readonly string[];
  /** What the stack file is filled in with. */
  readonly env: Readonly<Record<string, string>>;
}

/** "KEEPSAKE_IMAGE=… faas-cli deploy -f stack.yml": what somebody types in its place. */
export const lineOf = ({ args, env }: FaasCli): string =>
  [...Object.entries(env).map(([name, value]) => `${name}=${value}`), "faas-cli", ...args].join(" ");

/**
 * Runs it where the stack file is; it speaks for itself.
 * @returns Why it did not do it, for people; undefined when it did.
 */
export function runFaasCli(folder: string, { args, env }: FaasCli): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn("faas-cli", args, { cwd: folder, stdio: "inherit", env: { ...process.env, ...env } });
    child.on("error", () => resolve("faas-cli is not on the PATH"));
    child.on("exit", (code) => resolve(code === 0 ? undefined : `faas-cli ended with ${code ?? 1}`));
  });
}
