import type { TypeFunctions } from "./apps.ts";
import {
  type Check,
  checkFunction,
  checkNotify,
  checkPostgres,
  checkStatus,
  checkToken,
  checkTokenFile,
} from "./checks.ts";
import type { Client } from "./client.ts";

/**
 * All that a gateway has to do with: its functions answer, people are told, the token is accepted.
 * @param withToken Whether the client has one.
 * @throws {CliError} `unreachable`.
 */
export async function* checkGateway(
  client: Client,
  types: readonly TypeFunctions[],
  withToken: boolean,
): AsyncGenerator<Check> {
  const { gateway } = client;
  const functions = types.flatMap(({ backup, restore, cleanup }) => [backup, restore, ...(cleanup ? [cleanup] : [])]);
  const answers = await Promise.all(functions.map((fn) => checkFunction(client, fn)));
  yield { what: "gateway", ok: true, found: `${gateway.url} (${gateway.from})` };
  yield* answers;
  yield checkStatus(client);
  yield checkNotify(client);
  yield checkTokenFile(gateway.tokenFile);
  const served = answers.find(({ ok }) => ok);
  if (withToken && served) yield checkToken(client, served.what);
  if (gateway.own && types.some(({ type }) => type === "postgresql")) yield checkPostgres();
}
