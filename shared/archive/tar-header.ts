import { blockBytes, field, headerSum } from "./tar-format.ts";

/** A header's fields as they are written. */
export interface TarHeader {
  /** With prefix; a "/" at its end is kept. undefined when it is not UTF-8. */
  readonly name: string | undefined;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
  /** One character; "0" for a file, also where old programs wrote a zero byte. */
  readonly type: string;
}

/** @returns Its fields, or in words why these 512 bytes are no header. */
export function parseHeader(block: Buffer): TarHeader | string {
  const sum = number(block, field.checksum);
  if (sum === undefined || sum !== headerSum(block)) return "the checksum of a header does not fit";
  const sizeBytes = number(block, field.size);
  const mode = number(block, field.mode);
  const mtimeSeconds = number(block, field.mtime);
  if (sizeBytes === undefined || !(sizeBytes >= 0 && Number.isSafeInteger(sizeBytes))) return "a size is wanted";
  if (mode === undefined || mtimeSeconds === undefined) return "a mode and a time are wanted";
  const magic = block.toString("latin1", field.magic[0], field.magic[0] + field.magic[1]);
  // GNU tar keeps other things where the prefix is.
  const prefix = magic === "ustar\x0000" ? text(block, field.prefix) : "";
  const name = text(block, field.name);
  const type = block[field.type[0]] === 0 ? "0" : String.fromCharCode(block[field.type[0]] as number);
  const path = prefix === undefined || name === undefined ? undefined : prefix === "" ? name : `${prefix}/${name}`;
  return { name: path, mode, sizeBytes, mtimeSeconds, type };
}

export const isZeros = (block: Buffer) => block.equals(zeros);
const zeros = Buffer.alloc(blockBytes);

/** Up to the first zero byte; undefined when it is not UTF-8. */
function text(block: Buffer, [start, length]: readonly [number, number]): string | undefined {
  const end = block.subarray(start, start + length).indexOf(0);
  return decodeUtf8(block.subarray(start, end < 0 ? start + length : start + end));
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function decodeUtf8(bytes: Buffer): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Octal digits between spaces and zero bytes, or GNU's binary form; an empty field is 0. undefined: neither. */
function number(block: Buffer, [start, length]: readonly [number, number]): number | undefined {
  const first = block[start] as number;
  if (first === 0x80 || first === 0xff) {
    let value = first === 0xff ? -1n : 0n;
    for (let at = start + 1; at < start + length; at += 1) value = (value << 8n) | BigInt(block[at] as number);
    return Number(value);
  }
  const digits = /^ *([0-7]*)[ \0]*$/.exec(block.toString("latin1", start, start + length))?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits || "0", 8);
}
