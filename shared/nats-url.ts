import { join } from "node:path";
import type { Config } from "./config.ts";
import { ignore } from "./disk.ts";
import { Failure } from "./failures.ts";
import { readFile } from "./files.ts";

/** The secret's name under /var/openfaas/secrets: the address with user and password. */
const natsSecret = "nats-url";

/**
 * Where events go: what the environment says, else the secret, else the configuration.
 * @param given NATS_URL, or what a caller has decided.
 * @returns undefined when nobody has named a NATS.
 * @throws {Failure} `invalid_config` when there is a secret that cannot be read.
 */
export async function natsUrlOf(
  { secrets, nats }: Pick<Config, "secrets" | "nats">,
  given: string | undefined,
): Promise<string | undefined> {
  if (given) return given;
  const path = join(secrets, natsSecret);
  const secret = await readFile(path, "utf8")
    .catch(ignore("ENOENT", "ENOTDIR"))
    .catch((cause: Error) => {
      throw new Failure("invalid_config", `Cannot read the secret "${path}": ${cause.message}`, { cause });
    });
  return secret?.trim() || nats;
}
