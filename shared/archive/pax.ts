import { decodeUtf8 } from "./tar-header.ts";

/** What an extended header says of the entry after it, as far as it matters here. */
export interface PaxFields {
  path?: string;
  sizeBytes?: number;
  mtimeSeconds?: number;
}

/** The content of a pax header: "<length> <key>=<value>\n" again and again. @returns Why not, in words, when it is not. */
export function parsePax(content: Buffer): Map<string, Buffer> | string {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const digits = space < 0 || space - at > 10 ? "" : content.toString("latin1", at, space);
    const end = at + Number(digits);
    if (!/^[1-9][0-9]*$/.test(digits) || end > content.length || content[end - 1] !== 0x0a) {
      return "the length of a pax record does not fit";
    }
    const equals = content.indexOf(0x3d, space);
    if (equals < 0 || equals >= end - 1 + 1) return "a pax record without a key";
    const key = decodeUtf8(content.subarray(space + 1, equals));
    if (key === undefined || key === "") return "a pax record without a key";
    if (records.has(key)) return `the pax key "${key}" is there twice`;
    records.set(key, content.subarray(equals + 1, end - 1));
    at = end;
  }
  return records;
}

/** Keys of programs that leave out holes of a file: what follows is not the file's content. */
const sparse = /^(GNU\.sparse\.|SUN\.holesdata$|SCHILY\.realsize$)/;

/** Picks what this system heeds. @returns Why not, in words, when there is something that changes what entries are. */
export function paxFields(records: Map<string, Buffer>): PaxFields | string {
  const fields: PaxFields = {};
  for (const [key, value] of records) {
    if (sparse.test(key)) return "a whole file is wanted, is a sparse one";
    if (key === "hdrcharset") return "a name in UTF-8 is wanted, is in another character set";
    if (key === "linkpath") return "a file or folder is wanted, is a link";
    if (key === "path") {
      const path = decodeUtf8(value);
      if (path === undefined) return "a name in UTF-8 is wanted";
      fields.path = path;
    } else if (key === "size") {
      const digits = value.toString("latin1");
      if (!/^[0-9]{1,16}$/.test(digits) || !Number.isSafeInteger(Number(digits))) return "a size in digits is wanted";
      fields.sizeBytes = Number(digits);
    } else if (key === "mtime") {
      const digits = value.toString("latin1");
      if (!/^-?[0-9]{1,15}(\.[0-9]*)?$/.test(digits)) return "a time in digits is wanted";
      fields.mtimeSeconds = Number(digits);
    }
  }
  return fields;
}
