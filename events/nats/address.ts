export interface NatsAddress {
  /** "nats://host:4222", without user and password. */
  readonly servers: string[];
  readonly credentials: { readonly user?: string; readonly pass?: string; readonly token?: string };
}

/**
 * Reads "nats://user:password@host:4222", "nats://token@host", or several with commas; the client does not.
 * @throws {Error} Without the text: a password may stand in it.
 */
export function readNatsUrl(text: string): NatsAddress {
  const urls = text.split(",").map((part) => URL.parse(part.trim()));
  if (!urls.every((url) => url !== null && /^(?:nats|tls):$/.test(url.protocol) && url.hostname !== "")) {
    throw new Error('Cannot use the address of NATS: one such as "nats://host:4222" is wanted');
  }
  const parts = urls as URL[];
  const servers = parts.map(({ protocol, hostname, port }) => `${protocol}//${hostname}:${port || 4222}`);
  const [user = "", pass = ""] = [parts[0]?.username, parts[0]?.password].map((part) => decodeURIComponent(part ?? ""));
  if (user === "") return { servers, credentials: {} };
  return { servers, credentials: pass === "" ? { token: user } : { user, pass } };
}
