import { connect, createServer, type ListenOptions, type NetConnectOpts, type Server } from "node:net";

/** Passes connections on, byte for byte. One end's failure is the other's. */
export async function forward(from: ListenOptions, to: NetConnectOpts): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ ...to, allowHalfOpen: true });
    near.pipe(far).pipe(near);
    near.once("error", () => far.destroy()).once("close", () => far.destroy());
    far.once("error", () => near.destroy()).once("close", () => near.destroy());
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(from, resolve));
  return server;
}
