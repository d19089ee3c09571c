import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ProcessIdentity, stateOf } from "../../shared/run/process-identity.ts";

/** Whether the server of the home lab in this folder is up: what its `status` says, without a process for it. */
export async function serverRuns(folder: string): Promise<boolean> {
  // Empty while it is being written.
  const text = await readFile(join(folder, "server/server.json"), "utf8").catch(() => "");
  return text !== "" && (await stateOf(ProcessIdentity.parse(JSON.parse(text)))) === "alive";
}
