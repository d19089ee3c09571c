import { createHash, createPublicKey, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { placesOf } from "./machine/run.ts";

/** How much later than a token says the API server's JWT library takes its end to be (github.com/go-jose, `jwt.DefaultLeeway`). */
const leewaySeconds = 60;

const issuer = "https://kubernetes.default.svc.cluster.local";

export interface Bearer {
  namespace: string;
  account: string;
  uid: string;
  lifeSeconds: number;
}

/** Signs what the API's TokenRequest signs (a JWT, ES256), with the cluster's key. */
export async function signToken(cluster: string, { namespace, account, uid, lifeSeconds }: Bearer): Promise<string> {
  const key = await readFile(join(placesOf(cluster).keys, "accounts.key"));
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });
  const kid = createHash("sha256").update(publicKey).digest("base64url");
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: issuer,
    aud: [issuer],
    sub: `system:serviceaccount:${namespace}:${account}`,
    iat: now - leewaySeconds,
    nbf: now - leewaySeconds,
    exp: now + lifeSeconds - leewaySeconds,
    "kubernetes.io": { namespace, serviceaccount: { name: account, uid } },
  };
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "ES256", kid })}.${part(claims)}`;
  const signature = sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}
