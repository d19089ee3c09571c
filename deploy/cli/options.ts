import { parseArgs } from "node:util";
import { Override } from "../../shared/run/description.ts";
import { usage } from "./exit.ts";

/** What the command line and the environment ask for. An option wins over its variable; an empty one is absent. */
export interface Options {
  readonly names: readonly string[];
  readonly gateway?: string;
  readonly tokenFile?: string;
  readonly at?: string;
  readonly to?: string;
  readonly model?: string;
  /** Path of a keepsake.yaml. */
  readonly config?: string;
  readonly forSeconds?: number;
  readonly allow: readonly Override[];
  readonly apps: readonly string[];
  /** Of a scrub: not only what is due. */
  readonly everything?: true;
  readonly yes: boolean;
  readonly all: boolean;
  readonly help: boolean;
}

export type OptionName = "at" | "to" | "model" | "config" | "for" | "everything" | "allow" | "apps" | "yes" | "all";

/** Every option: what it takes, its environment variable, and what it means. */
export const optionTable = {
  at: { value: "TIME", variable: "AT", text: "a name from the list, or a local time: the newest at or before it" },
  to: { value: "PLACE", variable: "TO", text: "restore beside production, to look at it first" },
  model: { value: "NAME", variable: "MODEL", text: "Ollama: this model alone, such as llama3.2:1b" },
  config: { value: "FILE", variable: "CONFIG", text: "the keepsake.yaml of a cluster: what is on it is checked, too" },
  for: { value: "2h", variable: "FOR", text: "how long: minutes, hours or days, such as 30m, 2h, 3d" },
  everything: { value: undefined, variable: "ALL", text: "all files, not only what is due (ALL=1)" },
  allow: { value: "A,B", variable: "ALLOW", text: `overrides, one by one: ${Override.options.join(", ")}` },
  apps: { value: "A,B", variable: "APPS", text: "replace the data of these also where it is newer than the backup" },
  yes: { value: undefined, variable: "YES", text: "do not ask (YES=1)" },
  all: { value: undefined, variable: undefined, text: "every app" },
  gateway: { value: "URL", variable: "GATEWAY", text: "which gateway; else this clone's own, else the configured one" },
  "token-file": { value: "FILE", variable: "TOKEN_FILE", text: "file with the bearer token for it" },
} as const;

/**
 * @param takes The options that the command has; the others' variables are not looked at.
 * @throws {CliError} `usage`, naming the option or variable.
 */
export function parseOptions(args: readonly string[], env: NodeJS.ProcessEnv, takes: readonly OptionName[]): Options {
  const known = [...takes, "gateway", "token-file"] as const;
  const given = parse(args, known);
  const lookUp = (name: keyof typeof optionTable): string | undefined => {
    if (!(known as readonly string[]).includes(name)) return undefined;
    const { variable } = optionTable[name];
    const option = given.values[name];
    return (typeof option === "string" ? option : variable && env[variable])?.trim() || undefined;
  };
  const [gateway, tokenFile] = [lookUp("gateway"), lookUp("token-file")];
  const [at, to, model] = [lookUp("at"), lookUp("to"), lookUp("model")];
  const config = lookUp("config");
  const duration = lookUp("for");
  return {
    names: given.positionals,
    ...(gateway && { gateway }),
    ...(tokenFile && { tokenFile }),
    ...(at && { at }),
    ...(to && { to }),
    ...(model && { model }),
    ...(config && { config }),
    ...(duration && { forSeconds: toSeconds(duration) }),
    allow: listOf(lookUp("allow")).map(toOverride),
    apps: listOf(lookUp("apps")),
    ...((given.values.everything === true || toBoolean("ALL", lookUp("everything"))) && { everything: true }),
    yes: given.values.yes === true || toBoolean("YES", lookUp("yes")),
    all: given.values.all === true,
    help: given.values.help === true,
  };
}

type Values = Partial<Record<keyof typeof optionTable | "help", string | boolean>>;

function parse(
  args: readonly string[],
  known: readonly (keyof typeof optionTable)[],
): { values: Values; positionals: string[] } {
  const options = Object.fromEntries(
    known.map((name) => [name, { type: optionTable[name].value ? ("string" as const) : ("boolean" as const) }]),
  );
  try {
    return parseArgs({
      args: [...args],
      options: { ...options, help: { type: "boolean", short: "h" } },
      allowPositionals: true,
    });
  } catch (cause) {
    throw usage((cause as Error).message.split(". ")[0] ?? "Cannot read the options");
  }
}

const listOf = (text = "") => text.split(/[\s,]+/).filter(Boolean);

function toOverride(text: string): Override {
  const parsed = Override.safeParse(text);
  if (parsed.success) return parsed.data;
  throw usage(`Cannot allow "${text}": one of ${Override.options.join(", ")} is wanted`);
}

function toSeconds(text: string): number {
  const [, number, unit] = /^(\d{1,6})\s*([mhd])$/i.exec(text) ?? [];
  if (number === undefined) throw usage(`Cannot use FOR="${text}": minutes, hours or days are wanted: 30m, 2h, 3d`);
  return Number(number) * ({ m: 60, h: 3600, d: 86_400 }[unit?.toLowerCase() as "m"] as number);
}

function toBoolean(name: string, text: string | undefined): boolean {
  if (text === undefined || /^(0|n|no|false)$/i.test(text)) return false;
  if (/^(1|y|yes|true)$/i.test(text)) return true;
  throw usage(`Cannot use ${name}="${text}": 1 or 0 is wanted`);
}
