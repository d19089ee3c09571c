import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

export interface TelnetServer {
  readonly port: number;
  /** A line of the server's log: all who are logged in see it, all others get a NUL for it. */
  log(message: string): void;
  close(): Promise<void>;
}

export interface TelnetServerOptions {
  port: number;
  /** Empty: nobody is asked for one. */
  password: string;
  banner: readonly string[];
  /** @returns undefined for a command that does not exist. */
  run: (line: string) => Promise<string[] | undefined>;
  /** Whether the world is loaded; the console answers before that. */
  started?: () => boolean;
  /** TelnetFailedLoginLimit, TelnetFailedLoginsBlocktime. */
  failedLogins?: number;
  blockMs?: number;
}

/**
 * The console as a dedicated server has it, written from what its own code does: it asks for the password and greets;
 * lines end with CR LF and are sent in pieces of 64 characters; commands are carried out one after the other, and
 * those that exist are logged first; too many failed logins close the connection, and all later ones without a word
 * until the time is over.
 */
export async function serveTelnet(options: TelnetServerOptions): Promise<TelnetServer> {
  const { password, banner, run, failedLogins = 10, blockMs = 10_000, started = () => true } = options;
  const clients = new Map<Socket, { known: boolean }>();
  const sinceMs = performance.now();
  let failed = 0;
  let blockedUntilMs = 0;
  let frames = Promise.resolve();

  const sendLine = (socket: Socket, line: string) => {
    for (let at = 0; at < line.length; at += 64) socket.write(line.slice(at, at + 64));
    socket.write("\r\n");
  };
  const log = (message: string) => {
    const stamp = new Date().toISOString().slice(0, 19);
    const line = `${stamp} ${((performance.now() - sinceMs) / 1000).toFixed(3)} INF ${message}`;
    for (const [socket, { known }] of clients) {
      if (known) sendLine(socket, line);
      else socket.write("\0");
    }
  };
  const greet = (socket: Socket) => {
    for (const line of banner) sendLine(socket, line);
  };
  const logIn = (socket: Socket, client: { known: boolean }, line: string) => {
    if (line === password) {
      client.known = true;
      for (const text of ["Logon successful.", "", "", ""]) sendLine(socket, text);
      greet(socket);
      return;
    }
    failed += 1;
    if (failed < failedLogins) return sendLine(socket, "Password incorrect, please enter password:");
    failed = 0;
    blockedUntilMs = performance.now() + blockMs;
    sendLine(socket, "Too many failed login attempts!");
    socket.end();
  };
  const execute = async (socket: Socket, line: string) => {
    const [command = ""] = line.split(/[ \t]/);
    if (!started()) {
      sendLine(socket, `*** ERROR: Command '${command}' can only be executed when a game is started.`);
      return;
    }
    const answer = run(line);
    const lines = await answer;
    if (lines === undefined) return sendLine(socket, `*** ERROR: unknown command '${command}'`);
    for (const text of lines) sendLine(socket, text);
  };

  const server = createServer((socket) => {
    if (performance.now() < blockedUntilMs) return socket.destroy();
    const client = { known: password === "" };
    clients.set(socket, client);
    socket.on("error", () => {}).on("close", () => clients.delete(socket));
    const from = `127.0.0.1:${socket.remotePort}`;
    log(`Telnet connection from: ${from}`);
    if (client.known) greet(socket);
    else sendLine(socket, "Please enter password:");
    let typed = "";
    socket.setEncoding("utf8").on("data", (text) => {
      typed += text;
      const lines = typed.split(/[\r\n]/);
      typed = lines.pop() as string;
      for (const line of lines.map((line) => line.trim()).filter((line) => line !== "")) {
        if (!client.known) logIn(socket, client, line);
        else if (line.toLowerCase() === "exit") socket.end();
        else {
          frames = frames
            .then(() => {
              if (started() && /^(saveworld|sa|listplayers|lp|gettime|version|say|play|join|leave)\b/i.test(line)) {
                log(`Executing command '${line}' by Telnet from ${from}`);
              }
              return execute(socket, line);
            })
            .catch((error) => log(`ERROR ${error}`));
        }
      }
    });
  });
  server.listen(options.port, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    log,
    async close() {
      for (const socket of clients.keys()) socket.destroy();
      server.close();
      await frames;
    },
  };
}
