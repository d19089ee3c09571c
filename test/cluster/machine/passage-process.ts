import { type AddressInfo, connect, type ListenOptions, type NetConnectOpts } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { forward } from "./forward.ts";

/*
 * One end of the ways between this machine's network and a cluster's: passage-process.ts, inside the latter, of whoever started
 * it with an IPC channel. Ends with that.
 */

export interface Way {
  id: number;
  from: ListenOptions;
  to: NetConnectOpts;
}

/** The port, when it is one that listens; what went wrong. */
export type Opened = { id: number; port?: number; error?: string };

process.on("message", ({ id, from, to }: Way) => {
  const tell = (opened: Omit<Opened, "id">) => process.send?.({ id, ...opened } satisfies Opened);
  const open = async () => {
    if ("host" in to) await untilSomebodyListens(to);
    return forward(from, to);
  };
  open().then(
    (server) => tell("path" in from ? {} : { port: (server.address() as AddressInfo).port }),
    (error: Error) => tell({ error: error.message }),
  );
});
/** A Service leads to its pods a moment after they are ready. */
async function untilSomebodyListens(to: NetConnectOpts): Promise<void> {
  for (const end = Date.now() + 30_000; ; await delay(50)) {
    const problem = await new Promise<Error | undefined>((resolve) => {
      const socket = connect(to, () => resolve(undefined)).once("error", resolve);
      socket.once("connect", () => socket.destroy());
    });
    if (!problem) return;
    if (Date.now() > end) throw problem;
  }
}

process.once("disconnect", () => process.exit());
