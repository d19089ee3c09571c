import { RconError } from "./rcon-error.ts";

/*
 * The Source RCON protocol (developer.valvesoftware.com/wiki/Source_RCON_Protocol), all little endian:
 * i32 length of what follows (10 + body), i32 id, i32 type, body, two NULs.
 * Factorio answers AUTH with one packet, type 2 and the same id, or id -1 when the password is wrong, and sends no
 * empty packet before it as Source servers do. Its bodies are UTF-8 and may be longer than the 4096 bytes of Source.
 */

export interface Packet {
  readonly id: number;
  readonly type: number;
  readonly body: string;
}

/** The answer to AUTH and the request for a command have the same number. */
export const packetType = { auth: 3, authResponse: 2, command: 2, value: 0 } as const;

const maxLength = 16 << 20;

export function encodePacket({ id, type, body }: Packet): Buffer {
  const bytes = Buffer.from(body);
  const packet = Buffer.alloc(14 + bytes.length);
  packet.writeInt32LE(10 + bytes.length, 0);
  packet.writeInt32LE(id, 4);
  packet.writeInt32LE(type, 8);
  bytes.copy(packet, 12);
  return packet;
}

/**
 * Cuts a stream of bytes into packets, however the network cut it.
 * @throws {RconError} `protocol`.
 */
export async function* readPackets(stream: AsyncIterable<Buffer>): AsyncGenerator<Packet, undefined> {
  let buffered = Buffer.alloc(0);
  for await (const piece of stream) {
    buffered = Buffer.concat([buffered, piece]);
    while (buffered.length >= 4) {
      const length = buffered.readInt32LE(0);
      if (length < 10 || length > maxLength) {
        throw new RconError(
          "protocol",
          `a packet of 10 to ${maxLength} bytes is wanted, one of ${length} came: is this an RCON port?`,
        );
      }
      if (buffered.length < 4 + length) break;
      yield {
        id: buffered.readInt32LE(4),
        type: buffered.readInt32LE(8),
        body: buffered.toString("utf8", 12, 4 + length - 2),
      };
      buffered = buffered.subarray(4 + length);
    }
  }
}
