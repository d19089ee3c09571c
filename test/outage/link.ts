import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A cable between two programs of this machine, which can be cut. */
export interface Link {
  readonly port: number;
  /** What is under way is torn, and nothing comes through until it is healed. */
  cut(): void;
  heal(): void;
  close(): Promise<void>;
}

/** @param targetPort On the loopback address. */
export async function layLink(targetPort: number): Promise<Link> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    // Why an end broke is nothing to the other end but its end.
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    return socket;
  };
  const server = createServer((near) => {
    keep(near);
    if (isCut) return void near.destroy();
    const far = keep(connect({ host: "127.0.0.1", port: targetPort }));
    near.pipe(far).pipe(near);
    near.on("close", () => far.destroy());
    far.on("close", () => near.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const tear = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      isCut = true;
      tear();
    },
    heal() {
      isCut = false;
    },
    async close() {
      tear();
      server.close();
      await once(server, "close");
    },
  };
}
