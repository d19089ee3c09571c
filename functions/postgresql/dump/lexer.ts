import { Failure } from "../../../shared/failures.ts";
import { copyTarget } from "./copy.ts";

/** What a plain dump is made of, in order. */
export type DumpPart =
  /** Between statements: one line or block of comment, "--" included. */
  | { type: "comment"; text: string }
  /** Without its semicolon. */
  | { type: "statement"; text: Buffer }
  /** After the statement `COPY … FROM stdin`: rows as they stand, lines ended by "\n". */
  | { type: "data"; bytes: Buffer; rows: number }
  | { type: "dataEnd" }
  /** `\restrict KEY` and `\unrestrict KEY`, a line of their own: the only backslash commands that a dump may hold. */
  | { type: "restrict" | "unrestrict"; key: string };

/** No statement of a dump is longer; COPY data does not count. */
const maxStatementBytes = 16 << 20;

type State = "plain" | "quote" | "escapeQuote" | "identifier" | "dollar" | "line" | "block" | "dataStart" | "data";

const [newline, quote, doubleQuote, dollar, backslash, semicolon] = [10, 39, 34, 36, 92, 59];
const [dash, slash, star, open, close] = [45, 47, 42, 40, 41];

/**
 * Splits a plain dump, fed in any chunks, as psql's scanner does (psqlscan.l): quotes, E'' escapes, dollar quotes,
 * nested comments, parentheses and `BEGIN ATOMIC` bodies hold semicolons that end nothing.
 * It is strict where psql is obliging: a backslash outside of quotes, comments and data is refused, whatever it says.
 *
 * @throws {Failure} `backup_hostile` for backslash commands, `backup_damaged` for what no dump looks like.
 */
export class DumpLexer {
  #state: State = "plain";
  #rest: Buffer = Buffer.alloc(0);
  /** Where to go on in `#rest`. */
  #at = 0;
  /** Where the present part begins in `#rest`; -1 between parts. */
  #from = -1;
  #tag: Buffer = Buffer.alloc(0);
  #blockDepth = 0;
  #parens = 0;
  #words: string[] = [];
  #atomicDepth = 0;
  #lineStart = true;
  /** What was consumed before `#rest`, for messages. */
  #consumed = 0;

  *feed(chunk: Buffer): Generator<DumpPart> {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    yield* this.#run(false);
    const done = this.#from < 0 ? this.#at : this.#from;
    if (this.#rest.length - done > maxStatementBytes) {
      throw this.#damaged(`a statement of at most ${maxStatementBytes} bytes is wanted, this one is longer`);
    }
    this.#consumed += done;
    this.#rest = this.#rest.subarray(done);
    this.#at -= done;
    if (this.#from >= 0) this.#from = 0;
  }

  /** To be called at the end of the dump. */
  *finish(): Generator<DumpPart> {
    yield* this.#run(true);
    if (this.#state.startsWith("data"))
      throw this.#damaged('the end of COPY data ("\\.") is wanted, the dump ends before it');
    if (this.#from >= 0) throw this.#damaged("the end of a statement is wanted, the dump ends before it");
  }

  *#run(final: boolean): Generator<DumpPart> {
    for (;;) {
      const part = this.#next(final);
      if (part === undefined) return;
      if (part !== again) yield part;
    }
  }

  /** @returns A part, `again` when the state changed, undefined when more bytes are needed. */
  #next(final: boolean): DumpPart | typeof again | undefined {
    switch (this.#state) {
      case "plain":
        return this.#plain(final);
      case "quote":
        return this.#until(quote);
      case "identifier":
        return this.#until(doubleQuote);
      case "escapeQuote":
        return this.#escapeQuote();
      case "dollar":
        return this.#untilTag();
      case "line":
        return this.#lineComment(final);
      case "block":
        return this.#blockComment();
      case "dataStart":
        return this.#dataStart();
      case "data":
        return this.#data(final);
    }
  }

  #plain(final: boolean): DumpPart | typeof again | undefined {
    const buf = this.#rest;
    while (this.#at < buf.length) {
      const at = this.#at;
      const byte = buf[at] as number;
      if (byte === newline || byte === 32 || byte === 9 || byte === 13 || byte === 12) {
        this.#at++;
        this.#lineStart = byte === newline;
        continue;
      }
      if (byte === backslash) return this.#metaCommand(final);
      if (byte === 0) throw this.#damaged("text is wanted, a NUL byte is there");
      // What begins here may need a look ahead of two bytes at most, a word or a dollar tag all of itself.
      if (!final && at + 2 >= buf.length) return undefined;
      const next = buf[at + 1];
      if (byte === dash && next === dash) return this.#enter("line", at, 2);
      if (byte === slash && next === star) {
        this.#blockDepth = 1;
        return this.#enter("block", at, 2);
      }
      this.#lineStart = false;
      if (this.#from < 0) this.#beginStatement(at);
      if (byte === quote) return this.#enter("quote", at, 1);
      if (byte === doubleQuote) return this.#enter("identifier", at, 1);
      if ((byte === 69 || byte === 101) && next === quote) return this.#enter("escapeQuote", at, 2);
      if (byte === dollar) {
        const tag = /^\$(?:[A-Za-z_\x80-\xff][A-Za-z_0-9\x80-\xff]*)?\$/.exec(
          buf.toString("latin1", at, at + 128),
        )?.[0];
        if (tag !== undefined) {
          this.#tag = Buffer.from(tag, "latin1");
          return this.#enter("dollar", at, tag.length);
        }
        if (!final && buf.length - at < 128) return undefined;
        this.#at++;
        continue;
      }
      if (isWordStart(byte)) {
        let end = at + 1;
        while (end < buf.length && isWordPart(buf[end] as number)) end++;
        if (end === buf.length && !final) return undefined;
        this.#at = end;
        this.#word(buf.toString("latin1", at, end).toLowerCase());
        continue;
      }
      this.#at++;
      if (byte === open) this.#parens++;
      else if (byte === close) this.#parens = Math.max(0, this.#parens - 1);
      else if (byte === semicolon && this.#parens === 0 && this.#atomicDepth === 0) return this.#endStatement(at);
    }
    return undefined;
  }

  #enter(state: State, at: number, skip: number): typeof again {
    this.#state = state;
    this.#at = at + skip;
    // A comment between statements is a part of its own.
    if (this.#from < 0) this.#from = at;
    return again;
  }

  #beginStatement(at: number): void {
    this.#from = at;
    this.#words = [];
    this.#parens = 0;
    this.#atomicDepth = 0;
  }

  /** As psql: only in `CREATE [OR REPLACE] FUNCTION|PROCEDURE` does BEGIN open a body with statements of its own. */
  #word(word: string): void {
    if (this.#words.length < 4) this.#words.push(word);
    if (this.#parens > 0) return;
    const [first, second, third, fourth] = this.#words;
    const kind = second === "or" && third === "replace" ? fourth : second;
    if (first !== "create" || (kind !== "function" && kind !== "procedure")) return;
    if (word === "begin") this.#atomicDepth++;
    else if (word === "case" && this.#atomicDepth > 0) this.#atomicDepth++;
    else if (word === "end" && this.#atomicDepth > 0) this.#atomicDepth--;
  }

  #endStatement(at: number): DumpPart {
    const text = this.#rest.subarray(this.#from, at);
    this.#from = -1;
    if (this.#words[0] === "copy" && copyTarget(text) !== undefined) {
      this.#state = "dataStart";
    }
    return { type: "statement", text };
  }

  #until(end: number): typeof again | undefined {
    const found = this.#rest.indexOf(end, this.#at);
    if (found < 0) {
      this.#at = this.#rest.length;
      return undefined;
    }
    // A doubled quote is left and entered again, which is the same.
    this.#at = found + 1;
    this.#state = "plain";
    return again;
  }

  #escapeQuote(): typeof again | undefined {
    const buf = this.#rest;
    while (this.#at < buf.length) {
      const byte = buf[this.#at];
      if (byte === backslash || byte === quote) {
        if (this.#at + 1 >= buf.length) return undefined;
        if (byte === quote && buf[this.#at + 1] !== quote) {
          this.#at++;
          this.#state = "plain";
          return again;
        }
        this.#at += 2;
      } else this.#at++;
    }
    return undefined;
  }

  #untilTag(): typeof again | undefined {
    const found = this.#rest.indexOf(this.#tag, this.#at);
    if (found < 0) {
      this.#at = Math.max(this.#at, this.#rest.length - this.#tag.length + 1);
      return undefined;
    }
    this.#at = found + this.#tag.length;
    this.#state = "plain";
    return again;
  }

  #lineComment(final: boolean): DumpPart | typeof again | undefined {
    let end = this.#rest.indexOf(newline, this.#at);
    if (end < 0) {
      this.#at = this.#rest.length;
      if (!final) return undefined;
      end = this.#rest.length;
    }
    this.#at = end;
    return this.#endComment(end);
  }

  #blockComment(): DumpPart | typeof again | undefined {
    const buf = this.#rest;
    while (this.#at + 1 < buf.length) {
      const [byte, next] = [buf[this.#at], buf[this.#at + 1]];
      if (byte === slash && next === star) {
        this.#blockDepth++;
        this.#at += 2;
      } else if (byte === star && next === slash) {
        this.#blockDepth--;
        this.#at += 2;
        if (this.#blockDepth === 0) return this.#endComment(this.#at);
      } else this.#at++;
    }
    return undefined;
  }

  #endComment(end: number): DumpPart | typeof again {
    this.#state = "plain";
    const first = this.#rest[this.#from];
    const second = this.#rest[this.#from + 1];
    if (!(first === dash && second === dash) && !(first === slash && second === star)) return again;
    const text = this.#rest.toString("utf8", this.#from, end);
    this.#from = -1;
    return { type: "comment", text };
  }

  #metaCommand(final: boolean): DumpPart | undefined {
    const end = this.#rest.indexOf(newline, this.#at);
    if (end < 0 && !final && this.#rest.length - this.#at < 1024) return undefined;
    const line = this.#rest.toString("utf8", this.#at, end < 0 ? Math.min(this.#rest.length, this.#at + 1024) : end);
    const match = /^\\(restrict|unrestrict) ([A-Za-z0-9]{1,200})$/.exec(line);
    if (!match || this.#from >= 0 || !this.#lineStart) {
      throw new Failure(
        "backup_hostile",
        `Cannot accept the dump: SQL and nothing else is wanted, a backslash command is at byte ${this.#consumed + this.#at}: ${JSON.stringify(line.slice(0, 80))}`,
        { hint: "No backup of a database looks like this; whoever made the file wanted psql to do something else." },
      );
    }
    this.#at = end < 0 ? this.#rest.length : end;
    return { type: match[1] as "restrict" | "unrestrict", key: match[2] as string };
  }

  /** Between the semicolon and the first row there is the end of the line, and nothing else. */
  #dataStart(): typeof again | undefined {
    if (this.#at >= this.#rest.length) return undefined;
    if (this.#rest[this.#at] !== newline) throw this.#damaged("a line end is wanted after COPY … FROM stdin;");
    this.#at++;
    this.#state = "data";
    this.#lineStart = true;
    return again;
  }

  #data(final: boolean): DumpPart | typeof again | undefined {
    const buf = this.#rest;
    const start = this.#at;
    for (let look = start; ; ) {
      const found = buf.indexOf(endOfData, look);
      if (found < 0) break;
      if (found === start ? this.#lineStart : buf[found - 1] === newline) {
        if (found > start) {
          this.#at = found;
          this.#lineStart = true;
          return dataPart(buf.subarray(start, found));
        }
        this.#at = found + endOfData.length;
        this.#state = "plain";
        this.#lineStart = true;
        return { type: "dataEnd" };
      }
      look = found + 1;
    }
    // The terminator may be cut in two by the chunk's end: then the beginning of a last line waits for its rest.
    const lastLine = Math.max(buf.lastIndexOf(newline), start - 1) + 1;
    const maybeEnd =
      buf.length - lastLine < endOfData.length &&
      (lastLine > start || this.#lineStart) &&
      endOfData.subarray(0, buf.length - lastLine).equals(buf.subarray(lastLine));
    const end = maybeEnd && !final ? lastLine : buf.length;
    if (end <= start) return undefined;
    this.#at = end;
    this.#lineStart = buf[end - 1] === newline;
    return dataPart(buf.subarray(start, end));
  }

  #damaged(why: string): Failure {
    return new Failure("backup_damaged", `Cannot read the dump at byte ${this.#consumed + this.#at}: ${why}`);
  }
}

const again = Symbol("again");
const endOfData = Buffer.from("\\.\n");

function dataPart(bytes: Buffer): DumpPart {
  let rows = 0;
  // Ten times as fast as looking at each byte, but for rows of a few letters.
  for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) rows++;
  return { type: "data", bytes, rows };
}

const isWordStart = (byte: number) =>
  (byte >= 97 && byte <= 122) || (byte >= 65 && byte <= 90) || byte === 95 || byte >= 128;
const isWordPart = (byte: number) => isWordStart(byte) || (byte >= 48 && byte <= 57) || byte === dollar;
