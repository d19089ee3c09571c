import type { App, TypeFunctions } from "./apps.ts";
import { discover, findApp } from "./apps.ts";
import { CliError, exits, usage } from "./exit.ts";
import type { OptionName, Options } from "./options.ts";
import type { Environment } from "./session.ts";
import type { Watching } from "./watch.ts";

/** What a command works with. */
export interface Session extends Watching {
  readonly options: Options;
  readonly types: readonly TypeFunctions[];
}

/** What the help tells of a command. */
export interface CommandHelp {
  readonly name: string;
  /** How many app names it takes. */
  readonly names: "none" | "one" | "some";
  readonly takes: readonly OptionName[];
  readonly summary: string;
  /** What the summary does not say: edges, for `--help`. */
  readonly details?: string;
}

export interface Command extends CommandHelp {
  /** @returns The exit status. */
  run(session: Session): Promise<number>;
}

/** A command that also works where there is no gateway to speak to. */
export interface LocalCommand extends CommandHelp {
  /** @returns The exit status. */
  runHere(environment: Environment): Promise<number>;
}

/** The one app that the command line names. */
export async function namedApp({ client, types, options }: Session): Promise<App> {
  return findApp(await discover(client, types), options.names[0] ?? "");
}

/** Whether the user wants it: `YES=1`, or an answer on the terminal. */
export async function confirm(
  { options, terminal }: Pick<Session, "options" | "terminal">,
  question: string,
): Promise<boolean> {
  if (options.yes) return true;
  const answer = await terminal.ask(`${question} [y/N] `);
  if (/^y(es)?$/i.test(answer)) return true;
  terminal.err("Nothing was changed.");
  return false;
}

/** Nobody can be asked and nobody said yes: told before anything is looked up. */
export function requireAnswerable({ options, terminal }: Pick<Session, "options" | "terminal">, action: string): void {
  if (options.yes || terminal.interactive) return;
  throw new CliError(exits.failed, `Cannot ${action} without asking: there is no terminal to ask on`, {
    hint: "In a script, say that it may: YES=1",
  });
}

export function checkNames(command: CommandHelp, { names, all }: Options): void {
  if (command.names === "none" && names.length > 0)
    throw usage(`Cannot ${command.name} "${names[0]}": it takes no names`);
  if (command.names === "one" && names.length !== 1) {
    throw usage(
      `Cannot ${command.name}: one app's name is wanted, ${names.length === 0 ? "none" : names.length} given`,
    );
  }
  if (command.names === "some" && names.length > 0 === all) {
    throw usage(`Cannot ${command.name}: names of apps are wanted, or --all`);
  }
}
