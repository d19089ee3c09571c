import { connect, type Socket } from "node:net";
import { readNatsUrl } from "./address.ts";
import { streamSubjects } from "./subjects.ts";

/** After the server was lost: the first wait and the longest. */
const awayMs = { first: 1000, most: 30_000 };
/** A server that says nothing for so long is asked, and then lost. */
const silentMs = 45_000;

export interface Bell {
  /**
   * true once nothing that comes from now on is missed, or the server is known to be away: then it rings when that is
   * back. false when this server cannot be heard this way, for it wants TLS.
   */
  readonly isSet: Promise<boolean>;
  close(): void;
}

/**
 * Rings once, at the next event that comes to NATS, or when a server that was lost is back: then something may have
 * come. For a process that is to hold as little as possible: of the protocol
 * (https://docs.nats.io/reference/reference-protocols/nats-protocol) it speaks no more than that, without the client.
 * @param address "nats://user:password@host:4222", or several with commas.
 */
export function openBell(address: string, ring: () => void): Bell {
  const { servers, credentials } = readNatsUrl(address);
  const set = Promise.withResolvers<boolean>();
  const hello = {
    ...{ verbose: false, pedantic: false, lang: "node", version: "1", protocol: 1, name: "bell" },
    ...(credentials.token !== undefined && { auth_token: credentials.token }),
    ...(credentials.user !== undefined && { user: credentials.user, pass: credentials.pass }),
  };
  const subscribe = streamSubjects.map((subject, index) => `SUB ${subject} ${index + 1}\r\n`).join("");
  let socket: Socket | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  let failures = 0;
  let isSet = false;
  const setTo = (heard: boolean) => {
    isSet = true;
    set.resolve(heard);
  };

  const close = () => {
    isClosed = true;
    clearTimeout(timer);
    socket?.destroy();
    setTo(false);
  };
  const rung = () => {
    if (isClosed) return;
    setTo(true);
    close();
    ring();
  };
  const hear = () => {
    const { hostname, port } = new URL(servers[failures % servers.length] as string);
    let said = "";
    let isAsked = false;
    const here = connect({ host: hostname, port: Number(port) });
    socket = here;
    here.setTimeout(silentMs, () => {
      if (isAsked) here.destroy();
      else here.write("PING\r\n");
      isAsked = true;
    });
    here.on("data", (bytes) => {
      isAsked = false;
      said += bytes.toString("latin1");
      for (let end = said.indexOf("\r\n"); end >= 0 && !isClosed; end = said.indexOf("\r\n")) {
        const line = said.slice(0, end);
        said = said.slice(end + 2);
        if (line.startsWith("INFO ")) {
          if (JSON.parse(line.slice(5)).tls_required) return close();
          here.write(`CONNECT ${JSON.stringify(hello)}\r\n${subscribe}PING\r\n`);
        } else if (line === "PING") here.write("PONG\r\n");
        else if (line === "PONG") {
          // It was away, or nobody has listened for a moment.
          if (isSet && failures > 0) return rung();
          setTo(true);
        } else if (line.startsWith("MSG ")) return rung();
      }
    });
    here.on("error", () => {});
    here.on("close", () => {
      if (isClosed) return;
      failures += 1;
      if (failures >= servers.length) setTo(true);
      timer = setTimeout(hear, Math.min(awayMs.first * 2 ** (failures - 1), awayMs.most));
    });
  };
  hear();
  return { isSet: set.promise, close };
}
