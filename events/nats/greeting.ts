import { connect } from "node:net";

/**
 * Waits for the first line of a NATS server, its INFO. The client itself would wait for ever for one that takes
 * connections and says nothing, and keep the process from ending.
 * @throws {Error} With the reason when there is none within `ms`.
 */
export function awaitGreeting({ hostname, port }: URL, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) });
    const timer = setTimeout(() => end(new Error(`no answer within ${ms / 1000} s`)), ms);
    const end = (error?: Error) => {
      clearTimeout(timer);
      socket.destroy();
      if (error) reject(error);
      else resolve();
    };
    socket.once("error", end);
    socket.once("close", () => end(new Error("it closed the connection")));
    socket.once("data", (data) =>
      end(data.toString().startsWith("INFO") ? undefined : new Error("it is no NATS server")),
    );
  });
}
