import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import type { AppView } from "../../shared/run/report.ts";
import { type Client, HttpError, ProblemError } from "./client.ts";
import { CliError, endsAll, exits, usage } from "./exit.ts";
import { labelOf } from "./outcome.ts";

/** The functions that serve a type. */
export interface TypeFunctions {
  readonly type: string;
  /** "backup-factorio"; Mapshot's is called render-mapshot, since it renders first. */
  readonly backup: string;
  readonly restore: string;
  /** Of a type that has one. */
  readonly cleanup?: string;
}

export interface App extends TypeFunctions {
  readonly view: AppView;
  readonly label: string;
}

const Stack = z.object({ functions: z.record(z.string(), z.unknown()) });

/** The types that the clone's stack.yml has a function for, in its order. */
export async function readTypes(clone: string): Promise<TypeFunctions[]> {
  const path = join(clone, "stack.yml");
  const text = await readFile(path, "utf8").catch((cause) => {
    throw new CliError(exits.failed, `Cannot read "${path}", which names the functions: ${cause.message}`, { cause });
  });
  return typesOf(Stack.parse(parse(text)));
}

function typesOf({ functions }: z.infer<typeof Stack>): TypeFunctions[] {
  return Object.keys(functions).flatMap((name) => {
    const type = /^(?:backup|render)-(.+)$/.exec(name)?.[1];
    if (type === undefined) return [];
    const cleanup = `cleanup-${type}`;
    return [{ type, backup: name, restore: `restore-${type}`, ...(cleanup in functions && { cleanup }) }];
  });
}

export interface Discovered {
  readonly apps: readonly App[];
  /** Functions that did not say which apps they have. */
  readonly failed: readonly { fn: TypeFunctions; error: CliError }[];
}

/**
 * Asks every type's backup function for its apps. A function that is not deployed on this gateway is left out.
 * @throws {CliError} `unreachable`; `failed` when the gateway has none of the functions.
 */
export async function discover(client: Client, types: readonly TypeFunctions[]): Promise<Discovered> {
  const answers = await Promise.all(
    types.map(async (fn) => {
      try {
        return { fn, state: await client.state(fn.backup) };
      } catch (error) {
        if (endsAll(error)) throw error;
        return { fn, error: error as CliError };
      }
    }),
  );
  const apps = answers.flatMap(({ fn, state }) =>
    (state?.apps ?? []).map((view): App => ({ ...fn, view, label: labelOf(view) })),
  );
  const failed = answers.flatMap(({ fn, error }) => (error && !isAbsent(error) ? [{ fn, error }] : []));
  if (apps.length === 0 && failed.length === 0) {
    throw new CliError(
      exits.failed,
      `Cannot find Keepsake's functions at "${client.gateway.url}": none is deployed there`,
    );
  }
  return { apps, failed };
}

const isAbsent = (error: CliError) =>
  (error instanceof HttpError && error.status === 404) ||
  (error instanceof ProblemError && error.problem.status === 404);

/**
 * @throws {CliError} `usage` when no app has this name; the function's own failure when it might be one of those
 *   that could not be asked.
 */
export function findApp({ apps, failed }: Discovered, name: string): App {
  const app = apps.find(({ view }) => view.app === name);
  if (app) return app;
  const own = failed.find(({ fn }) => fn.type === name) ?? failed[0];
  if (own) throw own.error;
  throw usage(`Cannot find the app "${name}": one of ${apps.map(({ view }) => view.app).join(", ")} is wanted`);
}
