import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { type ProgramName, programNames } from "./programs.ts";
import type { Supervisor } from "./supervisor.ts";

const orders = ["start", "kill"] as const;
export type Order = (typeof orders)[number];

/** Lines such as "kill etcd" on a socket; the answer, when it is done, is an error's text or nothing. */
export async function serveControl(path: string, supervisor: Supervisor<ProgramName>): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, async (socket) => {
    socket.on("error", () => {});
    for await (const line of createInterface({ input: socket })) {
      const [word, program] = line.split(" ");
      const order = orders.find((known) => known === word);
      const name = programNames.find((known) => known === program);
      if (!order || !name) return socket.end(`Cannot do "${line}": start or kill, and a program's name, is wanted`);
      const problem = await supervisor[order](name).then(
        () => "",
        (error: Error) => error.message,
      );
      return socket.end(problem);
    }
    socket.end();
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
}

export async function control(path: string, order: Order, name: ProgramName): Promise<void> {
  const socket = connect({ path });
  socket.write(`${order} ${name}\n`);
  const problem = await text(socket);
  if (problem) throw new Error(problem);
}
