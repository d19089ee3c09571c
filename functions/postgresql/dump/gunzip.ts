import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, crc32, createInflateRaw } from "node:zlib";
import { Failure } from "../../../shared/failures.ts";
import type { ReadBack } from "../../../shared/nas/read-back.ts";

/**
 * The content of a gzip file, proven as it goes by: exactly one member (RFC 1952), nothing after it, and its CRC-32
 * and length are true. zlib's own Gunzip is obliging about what follows a member; a backup is not.
 * @throws {Failure} `backup_damaged`, at the latest when the last chunk was taken.
 */
export async function* gunzip(file: ReadBack): AsyncGenerator<Buffer> {
  const damaged = (why: string, cause?: unknown) =>
    new Failure("backup_damaged", `Cannot unpack "${file.path}": ${why}`, { cause });
  const begin = await headerLength(file, damaged);
  const end = file.sizeBytes - 8;
  if (end <= begin) throw damaged(`a gzip file is wanted, it ends after ${file.sizeBytes} bytes`);

  const inflate = createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH });
  const fed = pipeline(Readable.from(between(file, begin, end)), inflate).catch((cause) => inflate.destroy(cause));
  let crc = 0;
  let sizeBytes = 0;
  try {
    for await (const chunk of inflate as AsyncIterable<Buffer>) {
      crc = crc32(chunk, crc);
      sizeBytes += chunk.length;
      yield chunk;
    }
  } catch (cause) {
    if (cause instanceof Failure || (cause as Error).name === "AbortError") throw cause;
    throw damaged((cause as Error).message, cause);
  } finally {
    inflate.destroy();
  }
  await fed;
  if (inflate.bytesWritten !== end - begin) {
    throw damaged(`one gzip member and nothing else is wanted, ${end - begin - inflate.bytesWritten} bytes follow it`);
  }
  const trailer = await file.read(end, 8);
  if (trailer.readUInt32LE(0) !== crc) throw damaged("its CRC is wrong: it was cut off, or bytes have changed");
  if (trailer.readUInt32LE(4) !== sizeBytes % 2 ** 32) throw damaged("its length is wrong");
}

/** Which optional fields follow the ten fixed bytes: bits of the fourth. */
const [extraFlag, nameFlag, commentFlag, crcFlag] = [4, 8, 16, 2];

async function headerLength(file: ReadBack, damaged: (why: string) => Failure): Promise<number> {
  const head = await file.read(0, Math.min(file.sizeBytes, 4096));
  const flags = head[3] ?? 0;
  if (head.length < 18 || head[0] !== 0x1f || head[1] !== 0x8b || head[2] !== 8 || flags > 31) {
    throw damaged("a gzip file is wanted");
  }
  let at = 10;
  if (flags & extraFlag) at += 2 + head.readUInt16LE(at);
  for (const flag of [nameFlag, commentFlag]) if (flags & flag) at = head.indexOf(0, at) + 1;
  if (flags & crcFlag) at += 2;
  if (at < 10 || at > head.length) throw damaged("a gzip header is wanted");
  return at;
}

/** Bytes from `begin` up to `end` of the whole stream; it is read to its end, so that it also gets hashed. */
async function* between(file: ReadBack, begin: number, end: number): AsyncGenerator<Buffer> {
  let at = 0;
  for await (const chunk of file.stream()) {
    const part = chunk.subarray(Math.max(0, begin - at), Math.max(0, end - at));
    at += chunk.length;
    if (part.length > 0) yield part;
  }
}
