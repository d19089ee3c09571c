/*
 * Telegram's HTML parse mode, after `do_parse_html` in tdlib's td/telegram/MessageEntity.cpp: the tags it knows, and the
 * words in which it refuses the rest. Offsets are bytes of UTF-8.
 */

const knownTags = new Set(
  "a b strong i em s strike del u ins tg-spoiler tg-emoji tg-time span pre code blockquote".split(" "),
);

const namedCodes: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"' };

export interface ParsedText {
  /** What people read: its length counts. */
  readonly text: string;
  readonly entities: readonly { type: string; offset: number; length: number }[];
}

export class EntitiesError extends Error {}

/** @throws {EntitiesError} With the part of Telegram's description after "can't parse entities: ". */
export function parseHtml(html: string): ParsedText {
  const open: { tag: string; offset: number }[] = [];
  const entities: ParsedText["entities"][number][] = [];
  let text = "";
  let at = 0;
  const bytesTo = (index: number) => Buffer.byteLength(html.slice(0, index));
  while (at < html.length) {
    const rest = html.slice(at);
    const coded = /^&(?:#(\d+)|#x([0-9a-f]+)|([a-z]+));?/i.exec(rest);
    const decoded = coded && decode(coded);
    if (coded && decoded !== undefined) {
      text += decoded;
      at += coded[0].length;
    } else if (rest[0] !== "<") {
      text += rest[0];
      at += 1;
    } else if (rest[1] === "/") {
      const last = open.pop();
      if (!last) throw new EntitiesError(`Unexpected end tag at byte offset ${bytesTo(at)}`);
      const end = /^<\/([^\s>]*)\s*>/.exec(rest);
      if (!end) throw new EntitiesError(`Unclosed end tag at byte offset ${bytesTo(at)}`);
      const name = (end[1] as string).toLowerCase();
      if (name !== "" && name !== last.tag)
        throw new EntitiesError(
          `Unmatched end tag at byte offset ${bytesTo(at)}, expected "</${last.tag}>", found "</${name}>"`,
        );
      if (text.length > last.offset)
        entities.push({ type: last.tag, offset: last.offset, length: text.length - last.offset });
      at += end[0].length;
    } else {
      const start = /^<([^\s>]*)/.exec(rest) as RegExpExecArray;
      if (start[0].length === rest.length) throw new EntitiesError(`Unclosed start tag at byte offset ${bytesTo(at)}`);
      const tag = (start[1] as string).toLowerCase();
      if (!knownTags.has(tag)) throw new EntitiesError(`Unsupported start tag "${tag}" at byte offset ${bytesTo(at)}`);
      const whole = /^<[^\s>]*(?:\s+[^\s=>/"']+\s*=\s*(?:"[^"]*"|'[^']*'|[a-zA-Z0-9.-]+))*\s*>/.exec(rest);
      if (!whole) throw new EntitiesError(`Unclosed start tag "${tag}" at byte offset ${bytesTo(at)}`);
      open.push({ tag, offset: text.length });
      at += whole[0].length;
    }
  }
  const unclosed = open.at(-1);
  if (unclosed) throw new EntitiesError(`Can't find end tag corresponding to start tag "${unclosed.tag}"`);
  return { text, entities };
}

function decode([, decimal, hexadecimal, name]: RegExpExecArray): string | undefined {
  if (name !== undefined) return namedCodes[name.toLowerCase()];
  const code = decimal === undefined ? Number.parseInt(hexadecimal as string, 16) : Number(decimal);
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
}
