import { toFailure } from "../../shared/failures.ts";
import { type Check, describeCheck } from "./checks.ts";
import { CliError, exits } from "./exit.ts";
import type { Terminal } from "./terminal.ts";

/** Tells what was looked at, and counts what is wrong. */
export class Findings {
  readonly #terminal: Terminal;
  #problems = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  tell(check: Check): void {
    for (const line of describeCheck(check)) this.#terminal.out(line);
    if (!check.ok) this.#problems++;
  }

  /**
   * Tells all of them; stops where nothing further could be learnt, which is a problem, too.
   * @param what It is told of.
   */
  async tellAll(what: string, checks: AsyncIterable<Check>): Promise<void> {
    try {
      for await (const check of checks) this.tell(check);
    } catch (error) {
      if (error instanceof CliError && error.exit >= exits.interrupted) throw error;
      const { message, hint } = error instanceof CliError ? error : toFailure(error);
      this.tell({ what, ok: false, found: message, ...(hint !== undefined && { remedy: hint }) });
    }
  }

  /** @returns The exit status. */
  end(): number {
    this.#terminal.out(this.#problems === 0 ? "All is well." : `${this.#problems} to look at.`);
    return this.#problems === 0 ? exits.ok : exits.failed;
  }
}
