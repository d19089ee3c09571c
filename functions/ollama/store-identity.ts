import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import type { Identity } from "../../shared/app.ts";
import { readFile } from "../../shared/files.ts";

/**
 * Which store this is: Ollama makes a key of its own beside `models/` at its first start. Only the public half is read,
 * and only its hash is kept; the private half is never opened, and neither is copied.
 * @returns undefined when it is not there, or not to be read: then another store in its place is not noticed.
 */
export async function storeIdentity(models: string): Promise<Identity | undefined> {
  const text = await readFile(join(dirname(models), "id_ed25519.pub"), "utf8").catch(() => "");
  const [, key] = /^(ssh-ed25519 [A-Za-z0-9+/=]{40,200})(?:\s|$)/.exec(text) ?? [];
  if (key === undefined) return undefined;
  const id = createHash("sha256").update(key).digest("hex");
  return { id, label: `store ${id.slice(0, 8)}` };
}
