import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import type { Answer } from "./game.ts";

const [auth, execute, authAnswer, value] = [3, 2, 2, 0];

export interface RconServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * The server's side of Source RCON as Factorio speaks it: one packet answers AUTH, with id -1 for a wrong password;
 * commands are answered in turn, none while the one before keeps the game busy.
 * Written from the protocol, not from the client, so that a mistake there is not made here too.
 */
export async function serveRcon(options: {
  port: number;
  password: string;
  run: (line: string) => Answer;
}): Promise<RconServer> {
  const sockets = new Set<Socket>();
  let queue = Promise.resolve();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    let known = false;
    let waiting = Buffer.alloc(0);
    const answer = (id: number, type: number, text: string) => {
      const body = Buffer.from(`${text}\0\0`);
      const head = Buffer.alloc(12);
      head.writeInt32LE(8 + body.length, 0);
      head.writeInt32LE(id, 4);
      head.writeInt32LE(type, 8);
      socket.write(Buffer.concat([head, body]));
    };
    const handle = async (id: number, type: number, body: string) => {
      if (type === auth) {
        known = body === options.password;
        answer(known ? id : -1, authAnswer as number, "");
      } else if (type === execute && known) {
        const { text, after } = options.run(body);
        answer(id, value as number, text);
        await after?.();
      } else socket.destroy();
    };
    socket.on("data", (bytes) => {
      waiting = Buffer.concat([waiting, bytes]);
      while (waiting.length >= 4 && waiting.length >= 4 + waiting.readInt32LE(0)) {
        const packet = waiting.subarray(4, 4 + waiting.readInt32LE(0));
        waiting = waiting.subarray(4 + packet.length);
        const [id, type] = [packet.readInt32LE(0), packet.readInt32LE(4)];
        const body = packet.toString("utf8", 8, packet.length - 2);
        queue = queue.then(() => handle(id, type, body)).catch((error) => console.error(error));
      }
    });
  });
  server.listen(options.port, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await queue;
    },
  };
}
