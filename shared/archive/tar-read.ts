import { Failure } from "../failures.ts";
import { ByteCursor } from "./byte-cursor.ts";
import { hostile, type NameRule, Names, shown, whyNotPath } from "./names.ts";
import { type PaxFields, parsePax, paxFields } from "./pax.ts";
import { blockBytes, paddingOf } from "./tar-format.ts";
import { decodeUtf8, isZeros, parseHeader } from "./tar-header.ts";

export interface TarEntry {
  /** Relative, "/" between its parts, none at its end. */
  path: string;
  type: "file" | "folder";
  sizeBytes: number;
  mtimeMs: number;
  /** The nine bits of reading, writing and executing. */
  mode: number;
  /** Read once, at most, before the next entry is asked for; what is not read is skipped. Chunks are views of the input's. */
  bytes: AsyncIterable<Buffer>;
}

export interface TarLimits {
  /** Of the content of all files together. */
  maxBytes: number;
  /** Folders that entries are in count, whether they are entries or not. */
  maxEntries: number;
  /** For messages. */
  name: string;
  /** Which names are taken for one, and refused. */
  names?: NameRule;
  signal?: AbortSignal;
}

/** Attributes of a Mac's files can be large; nothing else is. */
const maxExtensionBytes = 1 << 20;

/** All names together: they are held in memory, to find those that are there twice. */
const maxNames = 64 << 20;

/**
 * The entries of an archive that anybody may have made: files and folders with plain names, and nothing else. Reads
 * what GNU tar, bsdtar and busybox write by default; "./" before a name is dropped, "." itself is left out.
 * The archive is proven when the last entry was given: then its end was seen, and nothing but zeros after it.
 * @throws {Failure} `backup_hostile`, naming the entry: a name that leads elsewhere, cannot be made or is there twice,
 * a link, a device, a sparse or unknown type, more than the limits allow. `backup_damaged`: no archive, or not all of it.
 */
export async function* readTar(bytes: AsyncIterable<Uint8Array>, limits: TarLimits): AsyncGenerator<TarEntry> {
  const cursor = new ByteCursor(bytes);
  const names = new Names(limits.names ?? "folded");
  let entries = 0;
  let totalBytes = 0;
  try {
    for (;;) {
      limits.signal?.throwIfAborted();
      const member = await nextMember(cursor, limits);
      if (!member) break;
      entries += 1;
      totalBytes += member.sizeBytes;
      if (entries > limits.maxEntries) {
        throw hostile(limits.name, member.name, `at most ${limits.maxEntries} entries are wanted, there are more`);
      }
      if (totalBytes > limits.maxBytes) {
        throw hostile(
          limits.name,
          member.name,
          `at most ${limits.maxBytes} bytes of content are wanted, there are more`,
        );
      }
      const entry = entryOf(member, limits);
      if (!entry) continue;
      const why = names.add(entry.path, entry.type);
      if (why !== undefined) throw hostile(limits.name, entry.path, why);
      if (names.count > limits.maxEntries || names.lengthTotal > maxNames) {
        const most = `${limits.maxEntries} files and folders, of ${maxNames} letters,`;
        throw hostile(limits.name, entry.path, `at most ${most} are wanted, there are more`);
      }
      const content = new Content(cursor, member, limits);
      yield { ...entry, bytes: content };
      await content.skip();
    }
    await expectEnd(cursor, limits);
  } finally {
    await cursor.close();
  }
}

const damaged = ({ name }: TarLimits, offset: number, why: string) =>
  new Failure("backup_damaged", `Cannot read the archive "${name}" at byte ${offset}, unpacked: ${why}`, {
    hint: "The file is not what was written. Another restore point is needed, or a copy of this one from elsewhere.",
  });

/** What stands in the archive, with what extensions before it say put in. */
interface Member {
  readonly name: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
  readonly mode: number;
}

async function takeBlock(cursor: ByteCursor, limits: TarLimits): Promise<Buffer> {
  const offset = cursor.offset;
  const block = await cursor.take(blockBytes);
  if (block.length === blockBytes) return block;
  throw damaged(limits, offset, "a header or the end of the archive is wanted, the file ends");
}

/** @returns undefined at the first of the blocks that end the archive. */
async function nextMember(cursor: ByteCursor, limits: TarLimits): Promise<Member | undefined> {
  let longName: string | undefined;
  let pax: PaxFields | undefined;
  for (;;) {
    const offset = cursor.offset;
    const block = await takeBlock(cursor, limits);
    if (isZeros(block)) {
      if (longName === undefined && !pax) return undefined;
      throw damaged(limits, offset, "the entry is wanted that an extended header belongs to, is the end");
    }
    const header = parseHeader(block);
    if (typeof header === "string") throw damaged(limits, offset, header);
    const { type, sizeBytes } = header;
    const refuse = (why: string) => hostile(limits.name, longName ?? pax?.path ?? header.name ?? "", why);
    if (type === "L" || type === "x" || type === "g") {
      if (sizeBytes > maxExtensionBytes)
        throw refuse(`an extended header of at most ${maxExtensionBytes} bytes is wanted`);
      const content = await takeContent(cursor, sizeBytes, limits);
      if (type === "L") {
        if (longName !== undefined || pax) throw refuse("one extended header for an entry is wanted, are more");
        longName = decodeUtf8(content.subarray(0, trimmedLength(content)));
        if (longName === undefined) throw refuse("a name in UTF-8 is wanted");
        continue;
      }
      const records = parsePax(content);
      if (typeof records === "string") throw damaged(limits, offset, records);
      const fields = paxFields(records);
      if (typeof fields === "string") throw refuse(fields);
      if (type === "g") {
        if (fields.path !== undefined || fields.sizeBytes !== undefined) throw refuse("a name or size for all entries");
        continue;
      }
      if (longName !== undefined || pax) throw refuse("one extended header for an entry is wanted, are more");
      pax = fields;
      continue;
    }
    const name = longName ?? pax?.path ?? header.name;
    if (name === undefined) throw refuse("a name in UTF-8 is wanted");
    if (pax?.sizeBytes !== undefined && pax.sizeBytes !== sizeBytes && pax.sizeBytes < 8 ** 11) {
      throw refuse(`one size is wanted, is ${sizeBytes} and ${pax.sizeBytes}`);
    }
    return {
      name,
      type,
      sizeBytes: pax?.sizeBytes ?? sizeBytes,
      mtimeSeconds: pax?.mtimeSeconds ?? header.mtimeSeconds,
      mode: header.mode,
    };
  }
}

async function takeContent(cursor: ByteCursor, sizeBytes: number, limits: TarLimits): Promise<Buffer> {
  const offset = cursor.offset;
  const wanted = sizeBytes + paddingOf(sizeBytes);
  // Copied: what follows is read before it was used.
  const content = Buffer.from(await cursor.take(wanted));
  if (content.length < wanted) throw damaged(limits, offset, `${wanted} bytes are wanted, the file ends`);
  return content.subarray(0, sizeBytes);
}

/** A GNU name ends with zero bytes; one inside it is left in, and refused. */
function trimmedLength(content: Buffer): number {
  let length = content.length;
  while (length > 0 && content[length - 1] === 0) length -= 1;
  return length;
}

const otherTypes: Record<string, string> = {
  "1": "a hard link",
  "2": "a symbolic link",
  "3": "a device",
  "4": "a device",
  "6": "a pipe",
  K: "a link",
  S: "a sparse file",
};

const latestMs = 8.64e15;

/** @returns undefined for the folder itself that was archived. */
function entryOf(member: Member, limits: TarLimits): Omit<TarEntry, "bytes"> | undefined {
  const { name, type, sizeBytes, mode } = member;
  const refuse = (why: string) => hostile(limits.name, name, why);
  // Before ustar a folder was a file whose name ends with "/".
  const isFolder = type === "5" || (type === "0" && name.endsWith("/"));
  if (!isFolder && type !== "0") {
    throw refuse(`a file or folder is wanted, is ${otherTypes[type] ?? `of type ${JSON.stringify(type)}`}`);
  }
  if (isFolder && sizeBytes !== 0) throw refuse(`a folder without content is wanted, has ${sizeBytes} bytes`);
  if (isFolder && /^\.\/?$/.test(name)) return undefined;
  const path = (isFolder && name.endsWith("/") ? name.slice(0, -1) : name).replace(/^\.\//, "");
  const why = whyNotPath(path);
  if (why !== undefined) throw refuse(why);
  const mtimeMs = Math.max(-latestMs, Math.min(latestMs, Math.round(member.mtimeSeconds * 1000)));
  return { path, type: isFolder ? "folder" : "file", sizeBytes, mtimeMs, mode: mode & 0o777 };
}

class Content implements AsyncIterable<Buffer> {
  readonly #cursor: ByteCursor;
  readonly #limits: TarLimits;
  readonly #path: string;
  #left: number;
  #padding: number;

  constructor(cursor: ByteCursor, { name, sizeBytes }: Member, limits: TarLimits) {
    this.#cursor = cursor;
    this.#limits = limits;
    this.#path = name;
    this.#left = sizeBytes;
    this.#padding = paddingOf(sizeBytes);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    while (this.#left > 0) {
      this.#limits.signal?.throwIfAborted();
      yield await this.#next();
    }
  }

  /** Leaves out what was not read. */
  async skip(): Promise<void> {
    while (this.#left > 0) {
      this.#limits.signal?.throwIfAborted();
      await this.#next();
    }
    if (this.#padding > 0) {
      const offset = this.#cursor.offset;
      const { length } = await this.#cursor.take(this.#padding);
      if (length < this.#padding) throw damaged(this.#limits, offset, "a whole block is wanted, the file ends");
    }
    this.#padding = 0;
  }

  async #next(): Promise<Buffer> {
    const part = await this.#cursor.some(this.#left);
    if (!part) {
      const why = `${this.#left} more bytes of "${shown(this.#path)}" are wanted, the file ends`;
      throw damaged(this.#limits, this.#cursor.offset, why);
    }
    this.#left -= part.length;
    return part;
  }
}

/** After the first block of zeros: a second one, and then nothing that means anything. */
async function expectEnd(cursor: ByteCursor, limits: TarLimits): Promise<void> {
  const offset = cursor.offset;
  if (!isZeros(await takeBlock(cursor, limits))) throw damaged(limits, offset, "the end of the archive is wanted");
  for (;;) {
    limits.signal?.throwIfAborted();
    const at = cursor.offset;
    const part = await cursor.some(zeros.length);
    if (!part) return;
    if (!part.equals(zeros.subarray(0, part.length)))
      throw damaged(limits, at, "nothing is wanted after its end, data follows");
  }
}

const zeros = Buffer.alloc(1 << 16);
