import { Failure } from "../failures.ts";
import { type NameRule, Names, shown, whyNotPath } from "./names.ts";
import { blockBytes, field, headerSum, paddingOf } from "./tar-format.ts";

export interface TarSource {
  /** In the archive: relative, "/" between its parts. */
  path: string;
  type: "file" | "folder";
  /** 0 for a folder. */
  sizeBytes: number;
  mtimeMs: number;
  /** Only the nine bits of reading, writing and executing are kept. */
  mode: number;
  /** The content of a file, `sizeBytes` of it; a file of 0 bytes needs none. */
  open?(): AsyncIterable<Uint8Array>;
}

export interface TarOptions {
  /** Which names are taken for one, and refused: what `readTar` would refuse is not written. */
  names?: NameRule;
  signal?: AbortSignal;
}

/**
 * A tar archive: ustar, and pax where that is too small for a name, a size or a time. Nobody's (uid and gid 0, no
 * names), times in whole seconds: equal entries in equal order give equal bytes.
 * Yields views of what the sources give, valid as long as those are.
 * @throws {Failure} `source_changing` when a file gives fewer or more bytes than it said; `source_invalid` when a name
 * cannot be restored everywhere, or is there twice.
 */
export async function* tarOf(
  entries: AsyncIterable<TarSource> | Iterable<TarSource>,
  { names: rule = "folded", signal }: TarOptions = {},
): AsyncGenerator<Buffer> {
  const names = new Names(rule);
  for await (const entry of entries) {
    signal?.throwIfAborted();
    const why = whyNotPath(entry.path) ?? names.add(entry.path, entry.type);
    if (why !== undefined) {
      throw new Failure("source_invalid", `Cannot archive "${shown(entry.path)}": ${why}`, {
        hint: "Rename it where it is: as it is, it could not be put back.",
      });
    }
    yield headersOf(entry);
    if (entry.type === "folder") continue;
    yield* contentOf(entry, signal);
    const padding = paddingOf(entry.sizeBytes);
    if (padding > 0) yield zeros.subarray(0, padding);
  }
  yield Buffer.alloc(2 * blockBytes);
}

const zeros = Buffer.alloc(blockBytes);

async function* contentOf({ path, sizeBytes, open }: TarSource, signal?: AbortSignal): AsyncGenerator<Buffer> {
  let done = 0;
  const changed = (what: string) =>
    new Failure("source_changing", `Cannot archive "${shown(path)}": ${sizeBytes} bytes are wanted, ${what}`, {
      hint: "Something writes to it. The next run tries again.",
    });
  for await (const chunk of open?.() ?? []) {
    signal?.throwIfAborted();
    done += chunk.byteLength;
    if (done > sizeBytes) throw changed("there are more");
    yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  if (done < sizeBytes) throw changed(`only ${done} are there`);
}

const largestOctal = (lengthBytes: number) => 8 ** (lengthBytes - 1) - 1;

/** The header of an entry, with a pax header before it when it needs one. */
function headersOf({ path, type, sizeBytes, mtimeMs, mode }: TarSource): Buffer {
  const name = type === "folder" ? `${path}/` : path;
  const seconds = Math.floor(mtimeMs / 1000);
  const size = type === "folder" ? 0 : sizeBytes;
  const split = splitName(name);
  const pax: [string, string][] = [];
  if (!split) pax.push(["path", name]);
  if (size > largestOctal(field.size[1])) pax.push(["size", String(size)]);
  if (seconds < 0 || seconds > largestOctal(field.mtime[1])) pax.push(["mtime", String(seconds)]);
  const header = headerOf(
    split ?? { prefix: "", name: nearest(name) },
    type === "folder" ? "5" : "0",
    size,
    seconds,
    mode,
  );
  if (pax.length === 0) return header;
  const records = Buffer.from(pax.map(([key, value]) => paxRecord(key, value)).join(""));
  const paxHeader = headerOf({ prefix: "", name: "././@PaxHeader" }, "x", records.length, 0, 0o644);
  return Buffer.concat([paxHeader, records, zeros.subarray(0, paddingOf(records.length)), header]);
}

/** As name and prefix of a ustar header; undefined when it does not fit. ustar knows ASCII only. */
function splitName(name: string): { prefix: string; name: string } | undefined {
  if (!/^[\x20-\x7e]*$/.test(name)) return undefined;
  if (name.length <= field.name[1]) return { prefix: "", name };
  const slash = name.indexOf("/", name.length - field.name[1] - 1);
  if (slash <= 0 || slash > field.prefix[1] || slash === name.length - 1) return undefined;
  return { prefix: name.slice(0, slash), name: name.slice(slash + 1) };
}

/** What a program shows that knows no pax. */
const nearest = (name: string) => name.replaceAll(/[^\x20-\x7e]/g, "_").slice(0, field.name[1]);

function headerOf(
  { prefix, name }: { prefix: string; name: string },
  type: string,
  size: number,
  seconds: number,
  mode: number,
): Buffer {
  const header = Buffer.alloc(blockBytes);
  const octal = ([start, length]: readonly [number, number], value: number) =>
    header.write(value.toString(8).padStart(length - 1, "0"), start, "latin1");
  header.write(name, field.name[0], "latin1");
  octal(field.mode, mode & 0o777);
  octal(field.uid, 0);
  octal(field.gid, 0);
  if (size <= largestOctal(field.size[1])) {
    octal(field.size, size);
  } else {
    // As GNU tar writes it; programs that know pax take the size from there, which is the same.
    header[field.size[0]] = 0x80;
    header.writeBigUInt64BE(BigInt(size), field.size[0] + 4);
  }
  octal(field.mtime, Math.min(Math.max(seconds, 0), largestOctal(field.mtime[1])));
  header.write(type, field.type[0], "latin1");
  header.write("ustar\x0000", field.magic[0], "latin1");
  header.write(prefix, field.prefix[0], "latin1");
  header.write(`${headerSum(header).toString(8).padStart(6, "0")}\0 `, field.checksum[0], "latin1");
  return header;
}

/** "<length> <key>=<value>\n", the length counting itself. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}
