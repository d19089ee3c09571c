import { TelnetError } from "./telnet-error.ts";

const maxLineBytes = 1 << 20;
/** Telnet's "interpret as command" (RFC 854): two more bytes follow for a negotiation, one for anything else. */
const iac = 0xff;

/**
 * Cuts what a console sends into lines, however the network cut it. Its lines end with CR LF. A NUL comes for every
 * line of its log that somebody who has not logged in may not see; both, and telnet's own commands, are left out.
 * What stands without an end of line is a line as soon as it ends with "password:".
 * @throws {TelnetError} `protocol` for a line that has no end.
 */
export async function* readLines(stream: AsyncIterable<Buffer>): AsyncGenerator<string, undefined> {
  let line: number[] = [];
  /** What is left of a command of telnet's. */
  let command: "none" | "code" | "option" = "none";
  for await (const piece of stream) {
    for (const byte of piece) {
      if (command === "code") command = byte >= 251 && byte <= 254 ? "option" : "none";
      else if (command === "option") command = "none";
      else if (byte === iac) command = "code";
      else if (byte === 10) {
        yield textOf(line);
        line = [];
      } else if (byte !== 0) line.push(byte);
      if (line.length > maxLineBytes) {
        throw new TelnetError("protocol", "lines are wanted, one that has no end came: is this the console's port?");
      }
    }
    if (line.length > 0 && line.length < 100 && /password:\s*$/i.test(textOf(line))) {
      yield textOf(line);
      line = [];
    }
  }
}

const textOf = (bytes: readonly number[]) => Buffer.from(bytes).toString("utf8").replace(/\r+$/, "");
