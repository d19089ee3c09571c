import { type IncomingMessage, request, type ServerResponse } from "node:http";

/** They concern one connection only (RFC 9110, 7.6.1). */
const hopHeaders = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

export interface Forwarded {
  /** Resolves when the answer has ended, whichever way; false when there was none to begin with. */
  readonly ended: Promise<boolean>;
  /** Ends the answer where it is: a stream is whole as far as it goes, one that has not begun is none. */
  finish(): void;
}

/**
 * Passes a call on to whoever listens at a socket, and the answer back as it comes, byte for byte.
 * A caller who goes away ends the call there, too.
 */
export function forward(
  call: IncomingMessage,
  answer: ServerResponse,
  socketPath: string,
  onBegin: (isStream: boolean) => void,
): Forwarded {
  const ended = Promise.withResolvers<boolean>();
  const { method, url: path, rawHeaders } = call;
  const onward = request({ socketPath, method, path, headers: withoutHops(rawHeaders), agent: false });
  onward.on("response", (response) => {
    const { statusCode = 502, statusMessage } = response;
    const isStream = /^(?:text\/event-stream|application\/x-ndjson)\b/.test(response.headers["content-type"] ?? "");
    onBegin(isStream);
    answer.writeHead(statusCode, statusMessage, withoutHops(response.rawHeaders));
    answer.flushHeaders();
    response.pipe(answer);
    // Cut off in the middle: that the rest is missing must show.
    response.once("error", () => answer.destroy());
    response.once("aborted", () => answer.destroy());
  });
  onward.once("error", () => ended.resolve(answer.headersSent));
  answer.once("close", () => {
    onward.destroy();
    ended.resolve(true);
  });
  call.once("error", () => onward.destroy());
  call.pipe(onward);
  return {
    ended: ended.promise,
    finish() {
      onward.destroy();
      if (answer.headersSent) answer.end();
    },
  };
}

/** As `[name, value, name, value, …]`, so that what is there twice stays so. */
function withoutHops(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i] as string, rawHeaders[i + 1] as string];
    if (!hopHeaders.has(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}
