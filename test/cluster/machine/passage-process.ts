import type { AddressInfo, ListenOptions, NetConnectOpts } from "node:net";
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
  forward(from, to).then(
    (server) => tell("path" in from ? {} : { port: (server.address() as AddressInfo).port }),
    (error: Error) => tell({ error: error.message }),
  );
});
process.once("disconnect", () => process.exit());
