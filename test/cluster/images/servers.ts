import { join } from "node:path";
import { cacheFolder } from "../install/cache.ts";
import { made } from "../install/made.ts";
import { archiveOf } from "./archive.ts";
import { debianLayer } from "./debian.ts";

/** PostgreSQL's server, its programs on the PATH, and nats-server: what apps and messages run on in the tests. */
export const servers = "keepsake.test/servers:1";

export function serversImage(say: (line: string) => void): Promise<string> {
  return made(join(cacheFolder, "images/servers.tar"), async (target) => {
    const layer = await debianLayer(["postgresql", "nats-server"], say);
    // PostgreSQL wants a user who is not root and has a name.
    const config = { User: "65534:65534", Env: ["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] };
    await archiveOf([layer], servers, config, target);
  });
}
