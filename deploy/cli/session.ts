import type { Clock } from "../../shared/words.ts";
import { readTypes } from "./apps.ts";
import { Client } from "./client.ts";
import type { Session } from "./command.ts";
import { findGateway, readToken } from "./gateway.ts";
import type { Options } from "./options.ts";
import type { Terminal } from "./terminal.ts";

/** Where the client runs, and for whom. */
export interface Environment {
  readonly options: Options;
  readonly terminal: Terminal;
  /** The root of the clone. */
  readonly clone: string;
  readonly home: string;
  readonly clock: () => Clock;
}

/** Chooses the gateway, and says which. */
export async function connect({ options, terminal, clone, home, clock }: Environment): Promise<Session> {
  const gateway = await findGateway(options, clone, home);
  terminal.err(`Gateway: ${gateway.url} (${gateway.from})`);
  const client = new Client(gateway, await readToken(gateway.tokenFile));
  return { options, terminal, clock, client, types: await readTypes(clone) };
}
