import type { CommandHelp } from "./command.ts";
import { exits } from "./exit.ts";
import { formatTable } from "./format.ts";
import { optionTable } from "./options.ts";

/** All commands, and what the exit statuses mean. */
export function overview(commands: readonly CommandHelp[]): string {
  return [
    "Keepsake's client: speaks to the functions over HTTP. The make targets call it, and so may you:",
    "  node_modules/node/bin/node deploy/cli/main.ts <command> …",
    "",
    ...formatTable(commands.map((command) => [`  ${synopsis(command)}`, command.summary])),
    "",
    "Each has --help. Options may be given as environment variables as well; the option wins.",
    "",
    "Exit status:",
    ...formatTable([
      [`  ${exits.ok}`, "done"],
      [`  ${exits.failed}`, "failed, refused, or declined"],
      [`  ${exits.usage}`, "the command line or the settings are wrong"],
      [`  ${exits.unreachable}`, "no gateway, or it cannot be reached"],
      [`  ${exits.interrupted}`, "interrupted by Ctrl-C; the run goes on unless it was cancelled"],
      [`  ${exits.terminated}`, "ended by SIGTERM; the run goes on"],
    ]),
  ].join("\n");
}

/** One command, with its options. */
export function helpOf(command: CommandHelp): string {
  const options = [...command.takes, "gateway", "token-file"] as const;
  return [
    `${synopsis(command)}: ${command.summary}`,
    ...(command.details ? [command.details] : []),
    "",
    ...formatTable(
      options.map((name) => {
        const { value, variable, text } = optionTable[name];
        return [`  --${name}${value ? ` ${value}` : ""}`, variable ?? "", text];
      }),
    ),
  ].join("\n");
}

const operands = { none: "", one: " <app>", some: " <app>…" } as const;
const synopsis = ({ name, names, takes }: CommandHelp) =>
  `${name}${operands[names]}${takes.includes("all") ? " | --all" : ""}`;
