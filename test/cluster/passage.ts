import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo, ListenOptions, NetConnectOpts, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { forward } from "./machine/forward.ts";
import type { Opened, Way } from "./machine/passage-process.ts";
import { addresses } from "./machine/run.ts";

/** Ways between this machine's network and a cluster's, which have nothing in common but the files of sockets. */
export interface Passage {
  /** @returns The port of this machine's loopback that leads to an address in the cluster, once somebody listens there. */
  into(host: string, port: number): Promise<number>;
  /** @returns Where the cluster's pods, too, reach a port of this machine's loopback. */
  out(port: number): Promise<{ host: string; port: number }>;
  close(): Promise<void>;
}

/** @param pid A process of the cluster's network. */
export async function openPassage(pid: number): Promise<Passage> {
  const folder = await mkdtemp(join(tmpdir(), "passage-"));
  const program = [process.execPath, join(import.meta.dirname, "machine/passage-process.ts")];
  const far = spawn("nsenter", ["--target", String(pid), "--net", "--", ...program], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const waiting = new Map<number, (opened: Opened) => void>();
  const near: Server[] = [];
  let ways = 0;
  far.on("message", (opened: Opened) => waiting.get(opened.id)?.(opened));
  far.once("exit", (status) => {
    for (const [id, tell] of waiting) tell({ id, error: `it ended with ${status}` });
  });

  /** @returns The port there, when it is one. */
  const openThere = async (id: number, from: ListenOptions, to: NetConnectOpts): Promise<number> => {
    const { port = 0, error } = await new Promise<Opened>((resolve) => {
      waiting.set(id, resolve);
      far.send({ id, from, to } satisfies Way);
    });
    waiting.delete(id);
    if (error !== undefined) throw new Error(`Cannot open a way through the cluster's network: ${error}`);
    return port;
  };
  const openHere = async (from: ListenOptions, to: NetConnectOpts): Promise<number> => {
    const server = await forward(from, to);
    near.push(server);
    return "path" in from ? 0 : (server.address() as AddressInfo).port;
  };
  const next = () => {
    ways += 1;
    return { id: ways, path: join(folder, String(ways)) };
  };

  return {
    async into(host, port) {
      const { id, path } = next();
      await openThere(id, { path }, { host, port });
      return openHere({ host: "127.0.0.1", port: 0 }, { path });
    },
    async out(port) {
      const { id, path } = next();
      await openHere({ path }, { host: "127.0.0.1", port });
      return { host: addresses.node, port: await openThere(id, { host: addresses.node, port: 0 }, { path }) };
    },
    async close() {
      for (const server of near) server.close();
      if (far.connected) far.disconnect();
      await rm(folder, { recursive: true });
    },
  };
}
