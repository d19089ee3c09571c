import { homedir } from "node:os";
import { fileURLToPath } from "node:url";
import { checkNames } from "./command.ts";
import { commands } from "./commands.ts";
import { CliError, exits, usage } from "./exit.ts";
import { describeFailure } from "./failure.ts";
import { helpOf, overview } from "./help.ts";
import { parseOptions } from "./options.ts";
import { connect } from "./session.ts";
import { processTerminal, type Terminal } from "./terminal.ts";

/** @returns The exit status. */
async function main([name = "help", ...args]: string[], env: NodeJS.ProcessEnv, terminal: Terminal): Promise<number> {
  const command = commands.find((candidate) => candidate.name === name);
  if (/^(help|-h|--help)$/.test(name)) {
    const about = commands.find((candidate) => candidate.name === args[0]);
    terminal.out(about ? helpOf(about) : overview(commands));
    return exits.ok;
  }
  if (!command) throw usage(`Cannot "${name}": one of ${commands.map((known) => known.name).join(", ")} is wanted`);
  const options = parseOptions(args, env, command.takes);
  if (options.help) {
    terminal.out(helpOf(command));
    return exits.ok;
  }
  checkNames(command, options);
  const environment = {
    options,
    terminal,
    clone: env.KEEPSAKE_CLONE || fileURLToPath(new URL("../..", import.meta.url)),
    home: env.HOME || homedir(),
    clock: () => ({ nowMs: Date.now(), timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone }),
  };
  return "runHere" in command ? command.runHere(environment) : command.run(await connect(environment));
}

// A reader that has seen enough (head) is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) =>
  process.exit(error.code === "EPIPE" ? exits.ok : exits.failed),
);

const terminal = processTerminal();
try {
  process.exitCode = await main(process.argv.slice(2), process.env, terminal);
} catch (error) {
  for (const line of describeFailure(error)) terminal.err(line);
  process.exitCode = error instanceof CliError ? error.exit : exits.failed;
}
// Sockets that the gateway keeps open would keep the process up as well.
process.exit();
