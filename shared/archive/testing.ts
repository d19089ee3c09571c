import { gzipBlocks } from "./gzip.ts";
import { blockBytes, field, headerSum, paddingOf } from "./tar-format.ts";

/* What the tests of archives share: streams, and archives made byte by byte. */

/** A stream of a buffer, in chunks of this size, each in memory that is overwritten once the next is asked for. */
export async function* chunksOf(bytes: Uint8Array, chunkBytes = 1000): AsyncGenerator<Buffer> {
  const chunk = Buffer.alloc(chunkBytes);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const length = Math.min(chunkBytes, bytes.length - at);
    chunk.set(bytes.subarray(at, at + length));
    yield chunk.subarray(0, length);
    chunk.fill(0xaa);
  }
}

export async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of bytes) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

/** @returns The gzip file and the sizes of its blocks. */
export async function gzipped(bytes: Uint8Array, options: Parameters<typeof gzipBlocks>[1] = {}) {
  const blocks: number[] = [];
  const file = await collect(gzipBlocks(chunksOf(bytes, 5000), { onBlock: (size) => blocks.push(size), ...options }));
  return { file, blocks };
}

export interface RawEntry {
  name?: string | Buffer;
  type?: string;
  /** Written into the header; the content's own when absent. */
  size?: number | string;
  content?: string | Buffer;
  mode?: number;
  magic?: string;
  prefix?: string;
  linkName?: string;
}

/** A header and content, with whatever in it a test wants. */
export function rawEntry(entry: RawEntry): Buffer {
  const content = Buffer.from(entry.content ?? "");
  const header = Buffer.alloc(blockBytes);
  const put = ([start, length]: readonly [number, number], value: string | Buffer) =>
    Buffer.from(value).copy(header, start, 0, length);
  const size = entry.size ?? content.length;
  put(field.name, entry.name ?? "a");
  put(field.mode, `${(entry.mode ?? 0o644).toString(8).padStart(7, "0")}\0`);
  put(field.uid, "0000000\0");
  put(field.gid, "0000000\0");
  put(field.size, typeof size === "string" ? size : `${size.toString(8).padStart(11, "0")}\0`);
  put(field.mtime, "00000000000\0");
  put(field.type, entry.type ?? "0");
  put(field.linkName, entry.linkName ?? "");
  put(field.magic, entry.magic ?? "ustar\x0000");
  put(field.prefix, entry.prefix ?? "");
  put(field.checksum, `${headerSum(header).toString(8).padStart(6, "0")}\0 `);
  return Buffer.concat([header, content, Buffer.alloc(paddingOf(content.length))]);
}

export const endOfTar = Buffer.alloc(2 * blockBytes);

export const rawTar = (...entries: (RawEntry | Buffer)[]) =>
  Buffer.concat([...entries.map((entry) => (Buffer.isBuffer(entry) ? entry : rawEntry(entry))), endOfTar]);

/** A pax header for the entry after it. */
export function rawPax(records: readonly (readonly [key: string, value: string | Buffer])[], type = "x"): Buffer {
  const content = records.map(([key, value]) => {
    const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from("\n")]);
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) length += 1;
    return Buffer.concat([Buffer.from(String(length)), rest]);
  });
  return rawEntry({ name: "pax", type, content: Buffer.concat(content) });
}

/** A GNU header for the entry after it, whose name is this. */
export const rawLongName = (name: string | Buffer) =>
  rawEntry({
    name: "././@LongLink",
    type: "L",
    magic: "ustar  \0",
    content: Buffer.concat([Buffer.from(name), Buffer.from([0])]),
  });
