import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { RconError } from "./rcon-error.ts";
import { encodePacket, type Packet, packetType, readPackets } from "./rcon-packets.ts";

export interface RconOptions {
  host: string;
  port: number;
  password: string;
  /** For each answer. A server that is saving answers nothing until it has saved. */
  timeoutMs: number;
  signal?: AbortSignal;
}

export interface Rcon {
  /**
   * Sends one line and waits for all of its answer, which may come in several packets, and for the server to be ready
   * for the next one. So when the answer to a save is here, a server that blocks while it saves has saved.
   */
  command(line: string): Promise<string>;
  close(): void;
}

/** Cheap, changes nothing, always answered: its answer says that the one before is complete. */
const fence = "/version";
const authId = 1;

/**
 * Opens the console of a Factorio server and logs in.
 * @throws {RconError}
 * @throws The signal's reason, when it aborts.
 */
export async function connectRcon({ host, port, password, timeoutMs, signal }: RconOptions): Promise<Rcon> {
  signal?.throwIfAborted();
  const socket = connect({ host, port });
  // A line that breaks while nobody waits for it shows at the next read.
  socket.on("error", () => {});
  const packets = readPackets(socket);
  const next = async (): Promise<Packet> => {
    const { value, done } = await packets.next();
    if (done) throw new RconError("unreachable", "the server closed the connection");
    return value;
  };
  const limited = limitedBy(socket, timeoutMs, signal);
  let id = authId;

  try {
    await limited("the connection", () => once(socket, "connect"));
    await limited("the answer to the password", async () => {
      send(socket, { id: authId, type: packetType.auth, body: password });
      for (;;) {
        const packet = await next();
        // Other servers of this protocol send an empty value first.
        if (packet.type !== packetType.authResponse) continue;
        if (packet.id === -1) throw new RconError("wrong_password", "the server refuses the password");
        if (packet.id === authId) return;
      }
    });
  } catch (error) {
    socket.destroy();
    throw error;
  }

  return {
    async command(line) {
      const [commandId, fenceId] = [++id, ++id];
      return limited(`the answer to ${line.split(" ", 1)[0]}`, async () => {
        let answer = "";
        send(socket, { id: commandId, type: packetType.command, body: line });
        for (let fenced = false; ; ) {
          const packet = await next();
          if (packet.type !== packetType.value) continue;
          if (packet.id === fenceId) return answer;
          if (packet.id !== commandId) continue;
          answer += packet.body;
          if (!fenced) send(socket, { id: fenceId, type: packetType.command, body: fence });
          fenced = true;
        }
      });
    },
    close: () => socket.destroy(),
  };
}

function send(socket: Socket, packet: Packet): void {
  if (/[\0\r\n]/.test(packet.body)) throw new RangeError("Cannot send over RCON: one line without NUL is wanted");
  socket.write(encodePacket(packet));
}

/** Ends the wait by ending the connection, so that nothing goes on behind the caller's back. */
function limitedBy(socket: Socket, timeoutMs: number, signal: AbortSignal | undefined) {
  return async <T>(what: string, wait: () => Promise<T>): Promise<T> => {
    const late = () => socket.destroy(new RconError("timeout", `${what} did not come within ${timeoutMs / 1000} s`));
    const timer = setTimeout(late, timeoutMs);
    const abort = () => socket.destroy(new Error("aborted"));
    signal?.addEventListener("abort", abort, { once: true });
    try {
      return await wait();
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof RconError || error instanceof RangeError) throw error;
      throw new RconError("unreachable", (error as Error).message, { cause: error });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  };
}
