import { createHash, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../failures.ts";
import type { RunRequest } from "../run/description.ts";

/** The secret's name under /var/openfaas/secrets. */
export const tokenSecret = "keepsake-token";

/** What a request may do without the bearer token: connectors and `faas-cli invoke` send none. */
export function needsToken(request: RunRequest): boolean {
  switch (request.operation) {
    case "backup":
      return request.allow.length > 0;
    case "plan":
    // Both only read: a scrub the NAS, a drill into scratch space.
    case "scrub":
    case "drill":
    // What it deletes is computed from the NAS and the data alone.
    case "cleanup":
      return false;
    default:
      return true;
  }
}

/** Whether the call carries the token; nothing depends on it but what may run in a pause. */
export const hasToken = (request: Request, secretsFolder: string): Promise<boolean> =>
  requireToken(request, secretsFolder).then(
    () => true,
    () => false,
  );

/**
 * Compares the bearer token with the secret, which is read anew: it may be changed while the function runs.
 * @throws {Failure} `unauthorized`.
 */
export async function requireToken(request: Request, secretsFolder: string): Promise<void> {
  const path = join(secretsFolder, tokenSecret);
  const wanted = (await readFile(path, "utf8").catch(() => "")).trim();
  if (wanted === "") {
    throw new Failure("unauthorized", `Cannot allow this: the secret "${tokenSecret}" is wanted, is not there`, {
      hint: `Put a long random text into "${path}" (mode 0600) and send it as "Authorization: Bearer …".`,
    });
  }
  const given = /^Bearer (\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  if (given !== undefined && timingSafeEqual(digest(given), digest(wanted))) return;
  throw new Failure(
    "unauthorized",
    `Cannot allow this without the bearer token: ${given === undefined ? "none was sent" : "another one was sent"}`,
    {
      hint: 'Send it as "Authorization: Bearer …"; make reads it from TOKEN_FILE.',
    },
  );
}

const digest = (text: string) => createHash("sha256").update(text).digest();
